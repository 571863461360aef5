"""Taking turns with the whole engine: nods, coughs, questions, early replies, silence."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from parley_cli.call import Call, Options, connect
from parley_cli.wav import Samples
from support import interjections, listener, recordings, words
from support.engine import FIVE_SENTENCES, Engine, reciting

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

QUESTION = "There is a table free at seven. Shall I book it for you?"
PROFILES = {
    "five": reciting(FIVE_SENTENCES),
    "asks": reciting(QUESTION),
    "short": reciting("All right."),
    "idle": reciting(
        "All right.",
        idle={"afterSeconds": 1, "questions": ["Are you there?"], "goodbye": "Goodbye then."},
    ),
    "greets": reciting(
        "All right.",
        greeting={
            "text": "This call is recorded for training, and to make our service better.",
            "interruption": {"enabled": False},
        },
    ),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with these profiles."""
    with Engine(tmp_path_factory.mktemp("turns"), PROFILES) as running:
        yield running


def types(call: Call) -> list[str]:
    return [one.type for one in call.events]


@pytest.mark.parametrize(
    ("sound", "is_nod"),
    [(interjections.said("Yeah."), True), (interjections.cough(), False)],
    ids=["nod", "cough"],
)
async def test_what_is_no_interruption_takes_no_turn_and_no_word(
    engine: Engine, sound: Samples, is_nod: bool
) -> None:
    async with connect(engine.url, Options(agent="five")) as call:
        await call.text("Tell me about the museum.")
        await call.wait_for("speaking", turn=1, timeout=20)
        for _ in range(3):
            await asyncio.sleep(3.0)
            call.mix(sound)
        spoken = await call.wait_for("spoken", turn=1, timeout=60)
        await call.until(lambda: not call.playback.playing, 5)
        heard = listener.listen(call.bot_audio.tobytes())
        await call.end()
    assert (spoken.data["text"], spoken.data["cut_off"]) == (FIVE_SENTENCES, False)
    assert types(call).count("paused") == types(call).count("resumed")
    assert types(call).count("speaking") == 1, "it was answered"
    assert words.share_recognised(FIVE_SENTENCES, heard) >= 0.9, heard
    if is_nod:
        assert types(call).count("paused") >= 1
        assert types(call).count("backchannel") >= 1


async def test_words_cut_the_bot_off_for_good(engine: Engine) -> None:
    async with connect(engine.url, Options(agent="five")) as call:
        await call.text("Tell me about the museum.")
        await call.wait_for("speaking", turn=1, timeout=20)
        await asyncio.sleep(3.0)
        call.mix(interjections.said("Wait, I have another question."))
        await call.wait_for("interrupted", turn=1, timeout=10)
        await call.wait_for("speaking", turn=2, timeout=20)
        await call.end()
    assert types(call).index("paused") < types(call).index("interrupted")


async def test_a_nod_answers_a_question(engine: Engine) -> None:
    async with connect(engine.url, Options(agent="asks")) as call:
        await call.text("Is there a table?")
        await call.wait_for("spoken", turn=1, timeout=30)
        await call.until(lambda: not call.playback.playing, 5)
        call.mix(interjections.said("Yes."))
        await call.wait_for("speaking", turn=2, timeout=20)
        await call.end()


async def test_a_reply_is_begun_before_the_turn_is_surely_over(engine: Engine) -> None:
    used = 'parley_early_replies_total{outcome="used"}'
    before = engine.service("gateway").metric(used)
    async with connect(engine.url, Options(agent="short")) as call:
        call.play(np.frombuffer(recordings.recording("clone-test.wav"), "<i2"))
        await call.wait_for("spoken", turn=1, timeout=30)
        first_reply = types(call).index("reply")
        await call.end()
    assert engine.service("gateway").metric(used) > before
    finals = [at for at, one in enumerate(call.events) if one.data.get("is_final")]
    assert finals[-1] < first_reply, "the client heard of a reply that was not certain"


async def test_a_silent_caller_is_asked_and_taken_leave_of(engine: Engine) -> None:
    async with connect(engine.url, Options(agent="idle")) as call:
        end = await call.wait_for("end", timeout=40)
    said = [one.data["text"] for one in call.events if one.type == "spoken"]
    assert said == ["Are you there?", "Goodbye then."]
    assert end.data["reason"] == "idle"


async def test_a_protected_greeting_is_heard_whole_and_then_the_caller(engine: Engine) -> None:
    async with connect(engine.url, Options(agent="greets")) as call:
        await call.wait_for("speaking", turn=0, timeout=20)
        call.play(np.frombuffer(recordings.recording("clone-test.wav"), "<i2"))
        greeting = await call.wait_for("spoken", turn=0, timeout=20)
        await call.wait_for("speaking", turn=1, timeout=30)
        await call.end()
    assert not greeting.data["cut_off"]
    assert "paused" not in types(call)

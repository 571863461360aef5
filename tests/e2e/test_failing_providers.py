"""Providers that fail under a call: another goes on, or the caller is told, but is not left
in silence."""

from collections.abc import Iterator

import pytest

from parley_cli.call import Call, Options, connect
from support import listener, words
from support.engine import FIVE_SENTENCES, ONE_SENTENCE, Engine, reciting

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

APOLOGY = "I am sorry, please call again tomorrow."


def faltering(how: str, after_ms: int, *fallbacks: str) -> dict[str, object]:
    return reciting(
        FIVE_SENTENCES if after_ms else ONE_SENTENCE,
        voiceProvider="falter",
        voice={"how": how, "after_ms": after_ms},
        voiceFallbacks=[{"provider": one} for one in fallbacks],
        apology=APOLOGY,
    )


def model_at(url: str, *fallbacks: dict[str, object]) -> dict[str, object]:
    return {
        "llmProvider": "openai",
        "llm": {"baseUrl": url},
        "llmFallbacks": list(fallbacks),
        "apology": APOLOGY,
    }


NOBODY = "http://127.0.0.1:9/v1"
PROFILES = {
    "now": faltering("now", 1500, "hibari"),
    "later": faltering("later", 700, "hibari"),
    "hang": faltering("hang", 900, "hibari"),
    "stop": faltering("stop", 1200, "hibari"),
    "silent": faltering("stop", 0, "hibari"),
    "model": model_at(NOBODY, {"provider": "recite", "settings": {"text": ONE_SENTENCE}}),
    "no-model": model_at(NOBODY),
    "no-ears": reciting(
        ONE_SENTENCE,
        transcriberProvider="nobody",
        transcriberFallbacks=[{"provider": "moonshine"}],
    ),
}


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("failing"), PROFILES) as engine:
        yield engine


async def ask(call: Call) -> str:
    await call.text("What can you tell me?")
    spoken = await call.wait_for("spoken", turn=1, timeout=90)
    return str(spoken.data["text"])


@pytest.mark.parametrize("agent", ["now", "later", "hang", "stop", "silent"])
async def test_the_rest_of_the_sentence_comes_in_another_voice(failing: Engine, agent: str) -> None:
    expected = str(PROFILES[agent]["llm"]["text"])  # type: ignore[index]
    async with connect(failing.url, Options(agent=agent)) as call:
        assert await ask(call) == expected
        await call.end()
    heard = listener.listen(call.bot_audio.tobytes())
    assert words.word_error_rate(expected, heard) <= 0.15, heard


async def test_another_model_answers(failing: Engine) -> None:
    async with connect(failing.url, Options(agent="model")) as call:
        assert await ask(call) == ONE_SENTENCE
        await call.end()


async def test_when_all_is_lost_the_caller_hears_so(failing: Engine) -> None:
    async with connect(failing.url, Options(agent="no-model")) as call:
        # The apology and the message for held calls are spoken as a profile's first call begins.
        done = 'parley_worker_jobs_total{outcome="done",stage="tts"}'
        before = failing.service("tts").metric(done)
        await call.until(lambda: failing.service("tts").metric(done) >= before + 2, 30)
        await call.end()
    async with connect(failing.url, Options(agent="no-model")) as call:
        assert await ask(call) == APOLOGY
        failed = await call.wait_for("error", code="reply_failed", timeout=5)
        assert not failed.data["fatal"]
        await call.end()
    heard = listener.listen(call.bot_audio.tobytes())
    assert words.word_error_rate(APOLOGY, heard) <= 0.3, heard


async def test_a_transcriber_that_is_not_there_is_passed_over(failing: Engine) -> None:
    async with connect(failing.url, Options(agent="no-ears")) as call:
        await call.end()

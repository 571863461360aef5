"""A recorded conversation, told again."""

import io

import pytest
from rich.console import Console

from parley.records import Event
from parley_cli import replay, story
from parley_cli.errors import Failure
from parley_cli.replay import Pace
from parley_cli.story import Moment


def event(at: float, kind: str, **fields: object) -> Event:
    return Event("c1", f"{kind}-{at}", kind, at, fields)


STAGES = {"end_of_turn": 320.0, "first_token": 410.0, "first_delivered": 640.0}
CALL = [
    event(1000.0, "started", agent="tess", encoding="linear16"),
    event(1000.0, "recording", file="c1.wav", host="box", begins_at=999.5),
    event(1005.0, "user", turn=1, text="What is [the] time?"),
    event(1005.5, "tool", turn=1, name="clock", ok=True, took_ms=12.0),
    event(1006.0, "failover", stage="tts", reason="the worker is gone"),
    event(1066.04, "bot", turn=1, text="It is", cut_off=True),
    event(
        1066.04, "turn", turn=1, outcome="interrupted", voice_to_voice_ms=640.0, stages_ms=STAGES
    ),
    event(1070.0, "something_new", this="that"),
    event(1071.25, "ended", reason="hang_up", epoch=0),
]


def test_the_story_has_all_that_happened_in_its_time() -> None:
    file = io.StringIO()
    replay.show("c1", CALL, Pace(), Console(file=file, width=200))
    assert file.getvalue().splitlines() == [
        "c1: agent tess, 1970-01-01 00:16:40 UTC, 71.2 s, hang_up",
        "  0:00.0  started    agent tess, encoding linear16",
        "  0:00.0  recorded   c1.wav on box, in its PARLEY_RECORDINGS (0:00 there is -0.5 s here)",
        "  0:05.0  you 1      What is [the] time?",
        "  0:05.5  tool 1     clock, 12 ms",
        "  0:06.0  failover   tts: the worker is gone",
        "  1:06.0  bot 1      It is -- interrupted",
        "  1:06.0  turn 1     interrupted; voice to voice 640 ms "
        "(turn over 320, first word written 410, heard 640)",
        "  1:10.0  something_new  this that",
        "  1:11.2  ended      reason hang_up, epoch 0",
    ]


def test_a_turn_that_was_typed_has_no_voice_to_voice() -> None:
    (moment,) = story.moments(
        [event(1.0, "turn", turn=1, outcome="spoken", voice_to_voice_ms=None, stages_ms={})]
    )
    assert moment.text == "spoken"


def test_the_document_is_for_programs() -> None:
    found = story.document("c1", CALL)
    assert (found["seconds"], found["ended_reason"]) == (71.25, "hang_up")
    assert found["events"][2] == {
        "at_seconds": 5.0, "kind": "user", "turn": 1, "text": "What is [the] time?"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0:00.0"), (59.96, "1:00.0"), (754.3, "12:34.3"), (-0.5, "0:00.0")]
)
def test_times_in_the_call(seconds: float, text: str) -> None:
    assert story.clock(seconds) == text


TOLD = [Moment(at, "you", str(at)) for at in (0.0, 2.0, 2.0, 5.0)]


def told(pace: Pace) -> list[object]:
    """What happens as it is told: moments, pauses (s), waits for Enter."""
    found: list[object] = []
    replay.tell(TOLD, pace, lambda one: found.append(one.text), lambda: found.append("Enter"),
                found.append)  # fmt: skip
    return found


def test_at_once_at_its_own_pace_or_step_by_step() -> None:
    assert told(Pace()) == ["0.0", "2.0", "2.0", "5.0"]
    assert told(Pace(speed=2.0)) == ["0.0", 1.0, "2.0", "2.0", 1.5, "5.0"]
    assert told(Pace(step=True)) == ["0.0", "Enter", "2.0", "Enter", "2.0", "Enter", "5.0"]


def test_steps_need_somebody_who_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(Failure, match="terminal"):
        replay.show("c1", CALL, Pace(step=True), Console(file=io.StringIO()))


def test_what_was_said_cannot_command_the_terminal() -> None:
    file = io.StringIO()
    nasty = [event(1.0, "user", turn=1, text="\x1b]0;owned\x07\x1b[2J[red]hi\nthere\u202e")]
    replay.show("c1", nasty, Pace(), Console(file=file, width=200, force_terminal=True))
    printed = file.getvalue()
    assert "[red]hi" in printed
    assert "\x1b]" not in printed and "\x1b[2J" not in printed
    assert "\u202e" not in printed and "\x07" not in printed
    assert len(printed.splitlines()) == 2

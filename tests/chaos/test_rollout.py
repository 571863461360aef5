"""The books of chats: calls of equal exchanges."""

from benchmarks.chaos import script
from benchmarks.chaos.books import Difference
from benchmarks.chaos.rollout import Rollout, difference
from benchmarks.chaos.take import Floor, Take
from parley_cli.events import Event


def chat(questions: int, answers: int) -> Take:
    asked = {"type": "transcription", "message": script.SECOND_QUESTION, "is_final": True}
    told = {"type": "spoken", "text": script.REPLY, "turn": 1, "cut_off": False}
    events = [Event(0.0, asked)] * questions + [Event(0.0, told)] * answers
    return Take(False, 16_000, events, floors=[Floor(0.0, 1.0)] * 2)


def test_every_exchange_counts() -> None:
    question, reply = len(script.SECOND_QUESTION.split()), len(script.REPLY.split())
    assert difference(chat(2, 2)) == Difference()
    assert difference(chat(1, 2)) == Difference(lost=question)
    assert difference(chat(2, 3)) == Difference(doubled=reply)


def test_a_call_that_was_dropped_is_counted_as_that() -> None:
    dropped = chat(1, 0)
    dropped.lost = "the server closed the connection"
    done = Rollout([dropped, chat(2, 2)], difference(dropped), restarts=8)
    assert done.dropped == 1
    assert len(done.wrong) == 1

import threading

import pytest

from parley_stt.engines.pool import STUCK_SECONDS, RecognitionPool, Urgency
from parley_stt.engines.recognition import Recognition, without_hallucinations


class Recogniser:
    def __init__(self) -> None:
        self.gate = threading.Event()
        self.order: list[bytes] = []

    def __call__(self, audio: bytes) -> Recognition:
        self.gate.wait(5)
        self.order.append(audio)
        if audio == b"bad":
            raise RuntimeError("broken")
        return Recognition(audio.decode())


async def test_finals_go_first() -> None:
    recogniser = Recogniser()
    pool = RecognitionPool(recogniser, threads=1)
    assert pool.idle
    running = pool.submit(b"running", Urgency.PARTIAL)
    assert not pool.idle
    partial = pool.submit(b"partial", Urgency.PARTIAL)
    pause = pool.submit(b"pause", Urgency.PAUSE)
    hurried = pool.submit(b"hurried", Urgency.PAUSE)
    unwanted = pool.submit(b"unwanted", Urgency.FINAL)
    hurried.urgency = Urgency.FINAL
    unwanted.result.cancel()
    recogniser.gate.set()
    for ticket in (running, partial, pause, hurried):
        await ticket.result
    assert recogniser.order == [b"running", b"hurried", b"pause", b"partial"]
    assert pool.idle
    pool.close()


async def test_a_pool_that_gets_on_is_working(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("parley_stt.engines.pool.monotonic", lambda: now)
    recogniser = Recogniser()
    pool = RecognitionPool(recogniser, threads=1)
    assert not pool.is_working
    now += 1000
    one, two = pool.submit(b"one", Urgency.FINAL), pool.submit(b"two", Urgency.FINAL)
    now += STUCK_SECONDS - 1
    assert pool.is_working
    now += 2
    assert not pool.is_working, "one recognition does not take so long"
    recogniser.gate.set()
    await one.result
    assert pool.is_working
    await two.result
    assert not pool.is_working
    pool.close()


async def test_a_failure_reaches_only_who_asked() -> None:
    recogniser = Recogniser()
    recogniser.gate.set()
    pool = RecognitionPool(recogniser, threads=1)
    bad, good = pool.submit(b"bad", Urgency.FINAL), pool.submit(b"good", Urgency.FINAL)
    with pytest.raises(RuntimeError, match="broken"):
        await bad.result
    assert (await good.result).text == "good"
    pool.close()


@pytest.mark.parametrize(
    "text",
    ["", "...", "\u266a\u266a", "Thank you for watching!", "See" + " the view of" * 5],
)
def test_made_up_text_is_dropped(text: str) -> None:
    assert without_hallucinations(Recognition(text, 0.99)).text == ""


@pytest.mark.parametrize(
    ("text", "confidence", "kept"),
    [
        ("Yes.", 0.9, True),
        ("Fail better.", 0.43, True),
        ("Florble", 0.2, False),
        ("You", 0.5, False),
        ("Thank you.", 0.9, True),
        ("No, no, no, no, no, no.", 0.9, True),
        ("It was the age of wisdom, it was the age of foolishness, it was the epoch.", 0.9, True),
    ],
)
def test_what_is_believed(text: str, confidence: float, kept: bool) -> None:
    assert bool(without_hallucinations(Recognition(text, confidence)).text) is kept

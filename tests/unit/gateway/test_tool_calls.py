"""What the gateway keeps of a reply's tools, when it says a filler, and telephone tones."""

from collections.abc import AsyncGenerator

import numpy as np
import pytest

from parley.messages import ToolCall, ToolReturned, ToolsCalled
from parley.tool_rounds import NOT_DONE
from parley.tools import EndCall
from parley_gateway.answering import rest_of
from parley_gateway.dtmf import GAP_MS, TONE_MS, WAIT_MS, tones
from parley_gateway.fillers import Filler
from parley_gateway.reply import Aside, buffered
from parley_gateway.state import ReplyState, SegmentState
from parley_gateway.tool_calls import ToolCalls

END = EndCall(type="end_call")


def called(*names: str) -> ToolsCalled:
    calls = [ToolCall(id=f"id-{name}", name=name) for name in names]
    return ToolsCalled(turn=1, attempt=1, seq=0, calls=calls)


def returned(name: str, content: str = "sun", *, ok: bool = True) -> ToolReturned:
    return ToolReturned(turn=1, attempt=1, seq=0, id=f"id-{name}", ok=ok, content=content)


def test_another_worker_is_told_what_has_returned_and_what_was_begun() -> None:
    calls = ToolCalls()
    calls.called(called("rome", "oslo"), "Let me look.", begun=True)
    assert calls.returned(returned("rome")) is not None
    assert calls.returned(returned("rome")) is None
    assert calls.returned(returned("nowhere")) is None
    text = "Let me look. One moment."
    messages = calls.messages(text)
    assert [(one.role, one.content) for one in messages] == [
        ("assistant", "Let me look."),
        ("tool", "sun"),
    ]
    assert calls.begun == ["id-oslo"]
    assert calls.is_waiting
    assert calls.written_since(text) == "One moment."


def test_calls_that_were_held_back_begin_once() -> None:
    calls = ToolCalls()
    calls.called(called("rome"), "", begun=False)
    assert calls.held_back
    assert calls.begun == []
    assert [run.call.name for run in calls.begin()] == ["rome"]
    assert calls.begin() == []
    assert (calls.held_back, calls.begun) == (False, ["id-rome"])


@pytest.mark.parametrize("cut_off", [True, False])
def test_what_was_promised_is_not_done_when_the_reply_is_cut_off(cut_off: bool) -> None:
    calls = ToolCalls()
    calls.called(called("end_call"), "Goodbye.", begun=True)
    calls.returned(returned("end_call", "soon"))
    (run,) = calls.over([END], cut_off=cut_off)[0].runs
    assert run.result == (NOT_DONE if cut_off else "soon")
    assert calls.promised()[0].result == "soon"


def test_the_next_gateway_knows_the_tools() -> None:
    calls = ToolCalls()
    calls.called(called("rome"), "Let me look.", begun=True)
    segments = [SegmentState(text="Let me look.", audio_ms=500, complete=True)]
    state = ReplyState(turn=1, segments=segments, rounds=calls.copy())
    calls.returned(returned("rome"))
    rest = rest_of(ReplyState.model_validate(state.model_dump()), heard_ms=0)
    assert rest.rounds[0].runs[0].result is None
    assert ToolCalls(rest.rounds).begun == ["id-rome"]


def test_a_filler_is_due_after_so_much_silence() -> None:
    filler = Filler("One moment.", 700)
    assert not filler.is_due(10.0, quiet=False)
    assert not filler.is_due(11.0, quiet=True)
    assert not filler.is_due(11.6, quiet=True)
    assert not filler.is_due(11.7, quiet=False)
    assert not filler.is_due(11.8, quiet=True)
    assert filler.is_due(12.51, quiet=True)


def test_who_wants_no_filler_gets_none() -> None:
    assert Filler.of(called("rome")) is None


async def test_with_full_delivery_a_filler_comes_after_what_there_is() -> None:
    async def segments() -> AsyncGenerator[str, None]:
        for text in ("One.", Aside("A moment."), "Two.", "Three."):
            given.append(text)
            yield text

    given: list[str] = []
    spoken = [(text, len(given)) async for text in buffered(segments())]
    assert spoken == [("One.", 2), ("A moment.", 2), ("Two.", 4), ("Three.", 4)]


@pytest.mark.parametrize("rate", [8000, 24_000])
def test_each_key_has_its_two_tones(rate: int) -> None:
    pcm = np.frombuffer(tones("5w#", rate), "<i2").astype(float)
    assert len(pcm) == rate * (2 * (TONE_MS + GAP_MS) + WAIT_MS) // 1000
    for begin_ms, expected in ((0, (770, 1336)), (TONE_MS + GAP_MS + WAIT_MS, (941, 1477))):
        tone = pcm[rate * begin_ms // 1000 :][: rate * TONE_MS // 1000]
        strength = np.abs(np.fft.rfft(tone))
        peaks = sorted(int(one) * 10 for one in np.argsort(strength)[-2:])
        assert np.allclose(peaks, expected, atol=10)

"""What is stored of a call, and who may have it."""

import msgpack
import pytest

from parley_gateway.call_record import (
    MAX_BYTES,
    BadRecord,
    BadToken,
    CallRecord,
    ResumeToken,
    new_holder,
)
from parley_gateway.state import EntryState, ReplyState, SegmentState, TalkState

TOKEN = ResumeToken.new("c1")


def record(state: TalkState | None = None) -> CallRecord:
    return CallRecord(
        conversation_id="c1",
        agent="default",
        sample_rate=16_000,
        encoding="mulaw",
        secret_sha256=TOKEN.digest,
        started_at=1.5,
        holder=new_holder(),
        state=state or TalkState(),
    )


def test_a_record_comes_back_as_it_was() -> None:
    state = TalkState(
        turn=3,
        entries=[EntryState(speaker="bot", turn=0, text="Hallo, schön, dass Sie da sind.")],
        said=["what is"],
        reply=ReplyState(turn=3, segments=[SegmentState(text="It is", audio_ms=120.5)]),
        understood_ms=12_345.5,
    )
    whole = record(state)
    assert CallRecord.decode(whole.encode()) == whole


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"nonsense", msgpack.packb([1]), msgpack.packb({"v": 1}),
     msgpack.packb({**msgpack.unpackb(record().encode()), "v": 2})],
)  # fmt: skip
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(BadRecord):
        CallRecord.decode(data)


def test_no_error_says_what_was_said() -> None:
    said = EntryState(speaker="human", turn=1, text="my number is 4711")
    fields = msgpack.unpackb(record(TalkState(turn=1, entries=[said])).encode())
    fields["state"]["entries"][0]["words"] = fields["state"]["entries"][0].pop("text")
    with pytest.raises(BadRecord) as error:
        CallRecord.decode(msgpack.packb(fields))
    assert str(error.value) == "state.entries.0.text: Field required"


def test_fields_of_a_newer_gateway_are_ignored() -> None:
    fields = msgpack.unpackb(record().encode())
    assert CallRecord.decode(msgpack.packb({**fields, "mood": "good"})).agent == "default"


def test_a_history_that_is_too_long_loses_its_beginning() -> None:
    entries = [EntryState(speaker="human", turn=turn, text="x" * 1000) for turn in range(2000)]
    state = TalkState(turn=2000, entries=entries, said=["and now"], understood_ms=5.0)
    data = record(state).encode()
    assert MAX_BYTES / 2 < len(data) <= MAX_BYTES
    kept = CallRecord.decode(data).state
    assert kept.entries == entries[-len(kept.entries) :]
    assert (kept.turn, kept.said, kept.understood_ms) == (2000, ["and now"], 5.0)


def test_a_token_is_read_as_it_is_written_and_shows_its_secret_to_nobody() -> None:
    assert ResumeToken.parse(str(TOKEN)) == TOKEN
    assert len(TOKEN.secret) == 32
    assert TOKEN.secret not in repr(TOKEN)
    assert TOKEN.secret.encode() not in record().encode()
    assert len({ResumeToken.new("c1").secret for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "text", ["", ".", "c1", "c1.", ".x", "a.b.c", "c1.x ", "c*.x", "c>.x", "é.x", "c1.x\n",
             "c" * 65 + ".x", "c1." + "x" * 65],
)  # fmt: skip
def test_what_is_no_token(text: str) -> None:
    with pytest.raises(BadToken):
        ResumeToken.parse(text)


def test_only_its_own_secret_opens_a_call() -> None:
    assert record().admits(TOKEN)
    for wrong in (
        TOKEN.secret[:-1],
        TOKEN.secret + "A",
        TOKEN.secret.swapcase(),
        "x",
        TOKEN.digest,
    ):
        assert not record().admits(ResumeToken("c1", wrong))

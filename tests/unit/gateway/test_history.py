"""What readers see of a conversation's events."""

from typing import Any

import pytest

from parley.records import BadEvent, Event, in_order
from parley_gateway.history import unfinished, view


def event(at: float, kind: str, key: str, **fields: Any) -> Event:
    return Event("c1", key, kind, at, fields)


STARTED = event(1.0, "started", "started", agent="tess", resumable=True)


def seen(*events: Event) -> dict[str, Any]:
    return view("c1", in_order(list(events)))


def test_the_transcript_is_in_the_order_of_turns_whatever_came_first() -> None:
    found = seen(
        STARTED,
        event(9.0, "bot", "bot-1", turn=1, text="Noon.", cut_off=True),
        event(8.0, "user", "user-2", turn=2, text="Thanks."),
        event(7.0, "user", "user-1", turn=1, text="The time?"),
        event(6.0, "bot", "bot-0", turn=0, text="Hello."),
    )
    assert [(one["turn"], one["speaker"], one["cut_off"]) for one in found["transcript"]] == [
        (0, "bot", False), (1, "human", False), (1, "bot", True), (2, "human", False)
    ]  # fmt: skip
    assert found["transcript"][1] == {
        "turn": 1, "speaker": "human", "text": "The time?", "cut_off": False, "at": 7.0
    }  # fmt: skip


def test_an_event_that_was_recorded_again_counts_once_the_first_time() -> None:
    found = seen(
        event(2.0, "user", "user-1", turn=1, text="Hello."),
        event(60.0, "user", "user-1", turn=1, text="Hello."),
        event(61.0, "failover", "failover-0-1"),
        event(62.0, "failover", "failover-0-1"),
    )
    assert [one["at"] for one in found["transcript"]] == [2.0]
    assert [one["at"] for one in found["events"]] == [61.0]


def test_a_turn_that_was_recorded_under_another_key_is_the_later() -> None:
    found = seen(
        event(2.0, "bot", "bot-1", turn=1, text="It is", cut_off=True),
        event(9.0, "bot", "bot-1-again", turn=1, text="It is noon."),
    )
    assert [(one["text"], one["cut_off"]) for one in found["transcript"]] == [
        ("It is noon.", False)
    ]


@pytest.mark.parametrize(
    ("events", "ended"),
    [
        ([], (None, None)),
        ([event(5, "ended", "ended-0", epoch=0, reason="hang_up")], (5, "hang_up")),
        ([event(5, "ended", "ended-0", epoch=0, reason="draining"),
          event(6, "resumed", "resumed-1", epoch=1)], (None, None)),
        # The gateway that lost the call says so late.
        ([event(6, "resumed", "resumed-1", epoch=1),
          event(7, "ended", "ended-0", epoch=0, reason="client_gone")], (None, None)),
        ([event(5, "ended", "ended-0", epoch=0, reason="client_gone"),
          event(6, "resumed", "resumed-1", epoch=1),
          event(8, "ended", "ended-1", epoch=1, reason="hang_up")], (8, "hang_up")),
    ],
)  # fmt: skip
def test_a_call_is_over_when_its_last_gateway_says_so(
    events: list[Event], ended: tuple[float | None, str | None]
) -> None:
    found = seen(STARTED, *events)
    assert (found["ended_at"], found["ended_reason"]) == ended
    assert unfinished(in_order([STARTED, *events])) is (ended[0] is None)


def test_a_call_that_nobody_has_any_more_ended_with_its_last_event() -> None:
    events = in_order([STARTED, event(4.0, "user", "user-1", turn=1, text="Hello?")])
    found = view("c1", events, lost=True)
    assert (found["ended_at"], found["ended_reason"]) == (4.0, "lost")


def test_a_call_without_its_beginning_is_shown_all_the_same() -> None:
    found = seen(event(4.0, "user", "user-1", turn=1, text="Hello?"))
    assert (found["agent"], found["started_at"]) == (None, None)
    assert not unfinished([event(4.0, "user", "user-1")])


def test_events_come_back_as_they_were() -> None:
    one = event(1.25, "user", "user-1", turn=1, text="Schön.")
    assert Event.decode(one.encode()) == one
    for wrong in (b"", b"x", one.encode()[:-3], b"\x80"):
        with pytest.raises(BadEvent):
            Event.decode(wrong)

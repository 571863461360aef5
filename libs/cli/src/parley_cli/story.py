"""A recorded conversation as a list of moments, in order, for people and programs. Pure."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parley.records import Event, end_of, start_of

STAGES = {
    "end_of_turn": "turn over",
    "final_transcription": "words",
    "first_token": "first word written",
    "first_audio": "first sound made",
    "first_delivered": "heard",
}
"""What of a turn's timeline is told, in ms since the caller's speech ended."""


@dataclass(frozen=True)
class Moment:
    """What happened `at` seconds into the call. `style` is how it looks on a terminal."""

    at: float
    who: str
    text: str
    style: str = ""


def moments(events: list[Event]) -> list[Moment]:
    """The events, in order, as moments."""
    if not events:
        return []
    began = events[0].at
    return [_moment(one, one.at - began) for one in events]


def title(conversation_id: str, events: list[Event]) -> str:
    """The conversation in one line."""
    first, (ended_at, reason) = start_of(events) or events[0], end_of(events)
    began = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(first.at))
    length = "not over" if ended_at is None else f"{ended_at - first.at:.1f} s, {reason}"
    agent = first.fields.get("agent", "?")
    return f"{conversation_id}: agent {agent}, {began}, {length}"


def clock(seconds: float) -> str:
    """A time in the call: 0:04.2."""
    tenths = round(max(seconds, 0.0) * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


def document(conversation_id: str, events: list[Event]) -> dict[str, Any]:
    """All of it, for programs."""
    began = events[0].at
    ended_at, reason = end_of(events)
    return {
        "conversation_id": conversation_id,
        "began_at": began,
        "seconds": None if ended_at is None else round(ended_at - began, 3),
        "ended_reason": reason,
        "events": [
            {"at_seconds": round(one.at - began, 3), "kind": one.kind, **one.fields}
            for one in events
        ],
    }


def _moment(event: Event, at: float) -> Moment:
    fields = event.fields
    turn = fields.get("turn")
    match event.kind:
        case "user":
            return Moment(at, _who("you", turn), str(fields.get("text", "")), "cyan")
        case "bot":
            cut = " -- interrupted" if fields.get("cut_off") else ""
            return Moment(at, _who("bot", turn), f"{fields.get('text', '')}{cut}", "green")
        case "turn":
            return Moment(at, _who("turn", turn), _turn(fields), "dim")
        case "tool":
            ok = "" if fields.get("ok") else ", failed"
            text = f"{fields.get('name')}, {fields.get('took_ms', 0.0):.0f} ms{ok}"
            return Moment(at, _who("tool", turn), text)
        case "failover":
            return Moment(at, "failover", _loss(fields), "yellow")
        case "failed":
            return Moment(at, _who("failed", turn), _loss(fields), "red")
        case "recording":
            return Moment(at, "recorded", _recording(fields, at, event.at))
        case kind:
            known = {name: value for name, value in fields.items() if value is not None}
            told = ", ".join(f"{name} {value}" for name, value in known.items())
            return Moment(at, kind, told, "dim")


def _who(who: str, turn: object) -> str:
    return who if turn is None else f"{who} {turn}"


def _turn(fields: Mapping[str, Any]) -> str:
    stages = fields.get("stages_ms") or {}
    parts = [str(fields.get("outcome"))]
    if (ms := fields.get("voice_to_voice_ms")) is not None:
        parts.append(f"voice to voice {ms:.0f} ms")
        told = [f"{text} {stages[one]:.0f}" for one, text in STAGES.items() if one in stages]
        parts.append(f"({', '.join(told)})")
    return " ".join(parts) if len(parts) == 1 else f"{parts[0]}; {parts[1]} {parts[2]}"


def _loss(fields: Mapping[str, Any]) -> str:
    return f"{fields.get('stage')}: {fields.get('reason')}"


def _recording(fields: Mapping[str, Any], at: float, when: float) -> str:
    begins = at + float(fields.get("begins_at", when)) - when
    where = f"{fields.get('file')} on {fields.get('host')}, in its PARLEY_RECORDINGS"
    return f"{where} (0:00 there is {begins:+.1f} s here)"

"""The table of attacks on the gateway in docs/security.md. `python -m security.gateway_table`
writes it; the tests see to it that what it says is so.
"""

from collections.abc import Iterable
from pathlib import Path

from security import test_attacks_connections as connections
from security import test_attacks_conversations as conversations
from security import test_attacks_tokens as tokens

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- attacks at the gateway -->\n", "<!-- end of attacks at the gateway -->\n"

ROWS: list[tuple[str, Iterable[str], str]] = [
    ("No key", ["none", "an empty one"], "`unauthorized`"),
    ("A forged key or token", tokens.FORGED, "`unauthorized`"),
    ("A token that has run out", ["6 s after its end"], "`token_expired`"),
    (
        "A replayed token",
        ["at the same gateway", "at another", "12 at once at two"],
        "`token_used`; of 12 at once 1 got through, as it may",
    ),
    ("A page of another origin", tokens.ORIGINS, "`wrong_origin`, with a key and with a token"),
    ("The wrong agent", [*tokens.AGENTS, "another than the token's"], "`unknown_agent`"),
    ("A token from POST /tokens", [*tokens.TAKERS, "as a page"], "400, 401, 403 or 404"),
    (
        "Subject injection through a conversation's id",
        conversations.IDS,
        "400 or 404; NATS heard no subject but the engine's",
    ),
    (
        "Subject injection through a resume token",
        conversations.RESUMES,
        "`not_resumable`; NATS heard no subject but the engine's",
    ),
    (
        "Subject injection through an agent's name",
        [repr(name) for name in conversations.AGENTS],
        "`unknown_agent`; NATS heard no subject but the engine's",
    ),
    (
        "Numbers that are none",
        [f"{len(conversations.NUMBERS)} kinds"],
        "`bad_format`",
    ),
    ("Reading another's conversation", conversations.READERS, "401 or 404"),
    (
        "Going on with another's call",
        [*conversations.TAKERS, "the key, with another secret"],
        "`unauthorized` or `not_resumable`; the call went on undisturbed",
    ),
    ("What is not served", conversations.PATHS, "404 or 405"),
    (
        "More than the key may",
        [
            "calls at once, at two gateways",
            "calls that were left, and are resumed beside others",
            "calls a minute",
            "minutes",
            "a key taken away",
        ],
        "`too_many_calls`, `quota_used_up`, `unauthorized`; calls under way ended for the last two",
    ),
    ("More calls than lines", ["with two keys"], "`no_capacity`"),
    (
        "Messages that are too large, or too many",
        connections.OVERSIZE,
        "`frame_too_large`, `audio_too_fast`, `too_many_messages`, or close 1009 by the WebSocket"
        " layer",
    ),
    ("Oversize and strange handshakes", connections.HANDSHAKES, "400, 401 or 426, and closed"),
    (
        "Slow loris",
        connections.SLOW,
        "cut off after 10 s; calls went through meanwhile",
    ),
    (
        "More connections than there is room for",
        ["that say nothing", *(f"that {one}" for one in connections.ASKING)],
        "the oldest that were no calls made room; calls went on, and new ones went through",
    ),
    ("Pings whose answers are not read", ["for as long as it goes"], "cut off at 256 KiB"),
]


def rendered() -> str:
    """The table."""
    lines = ["| Attack | Tried | What happened |", "|---|---|---|"]
    count = 0
    for name, tried, happened in ROWS:
        kinds = list(tried)
        count += len(kinds)
        texts = "; ".join(one.replace("|", "\\|") for one in kinds)
        lines.append(f"| {name} | {texts} | {happened} |")
    return f"{BEGIN}{chr(10).join(lines)}\n\n{count} attacks; 0 got through.\n{END}"


def write() -> None:
    """Put the table where it belongs."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    PAGE.write_text(before + rendered() + rest.split(END)[1])


if __name__ == "__main__":
    write()

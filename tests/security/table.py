"""The table of attacks in docs/security.md. `python -m security.table` writes it."""

from pathlib import Path

from security.attacks import USERS, attacks

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- attacks in NATS -->\n", "<!-- end of attacks in NATS -->\n"


def rendered() -> str:
    """The table; the tests see to it that what it says is so."""
    tried = {user: [attack.name for attack in attacks(user)] for user in USERS}
    names = list(dict.fromkeys(name for user in USERS for name in tried[user]))
    lines = [f"| with a stolen key of | {' | '.join(USERS)} |", "|---|" + "---|" * len(USERS)]
    for name in names:
        cells = ["refused" if name in tried[user] else "its work" for user in USERS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    count = sum(len(names) for names in tried.values())
    lines.append(f"\n{count} attacks, {len(names)} kinds; 0 got through.")
    return f"{BEGIN}{chr(10).join(lines)}\n{END}"


def write() -> None:
    """Put the table where it belongs."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    PAGE.write_text(before + rendered() + rest.split(END)[1])


if __name__ == "__main__":
    write()

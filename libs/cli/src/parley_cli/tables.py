"""Tables as the operators' commands print them. On a narrow terminal the ids stay whole."""

from rich.table import Table

ID_WIDTH = 16
"""Of a call's id, and of most others'."""
LEFT = ("state", "host", "agent", "gateway", "began (UTC)")
GIVING = ("state", "host", "agent")
"""What is cut first where there is little room."""


def table(first: str, *others: str, first_width: int = ID_WIDTH) -> Table:
    """An empty table with those columns; the first is never cut below its width (characters)."""
    made = Table(box=None, pad_edge=False, header_style="dim")
    made.add_column(first, no_wrap=True, min_width=first_width)
    for name in others:
        made.add_column(
            name,
            justify="left" if name in LEFT else "right",
            no_wrap=name not in GIVING,
            overflow="ellipsis",
        )
    return made

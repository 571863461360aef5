"""`parley doctor`: the checks as a table."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from parley_cli.checks import Check, Level

COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


def show(checks: Iterable[Check], console: Console) -> int:
    """Print the checks. The exit code: 1 if one failed."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    failed = False
    for check in checks:
        failed |= check.level is Level.FAIL
        found = f"{check.found}\n-> {check.mend}" if check.mend else check.found
        table.add_row(f"[{COLOURS[check.level]}]{check.level}[/]", check.what, found)
    console.print(table, highlight=False)
    return 1 if failed else 0

"""How the running engine is shown: a live table on a terminal, else a line per change."""

from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.table import Table

from parley_cli.process import last_lines
from parley_cli.service import Service, State

COLOURS = {
    State.READY: "green",
    State.LOADING: "yellow",
    State.STARTING: "yellow",
    State.WAITING: "yellow",
    State.RESTARTING: "red",
    State.STOPPED: "dim",
}


def table(services: Sequence[Service]) -> RenderableType:
    """The services as a table."""
    view = Table(box=None, pad_edge=False, header_style="dim")
    view.add_column("service")
    view.add_column("state", min_width=14)
    for heading in ("pid", "uptime", "cpu", "memory", "jobs", "restarts"):
        view.add_column(heading, justify="right")
    for one in services:
        view.add_row(
            one.spec.name,
            f"[{COLOURS[one.state]}]{one.state}[/]",
            str(one.pid or ""),
            duration(one.uptime) if one.pid else "",
            "" if one.cpu_percent is None else f"{one.cpu_percent:.0f}%",
            "" if one.rss_bytes is None else f"{one.rss_bytes / 2**20:.0f} MB",
            jobs(one.detail),
            str(one.restarts.count or ""),
        )
    return view


def duration(seconds: float) -> str:
    """Whole seconds as a person reads them: 42s, 3m07s, 2h05m."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def jobs(detail: dict[str, object]) -> str:
    """A worker's jobs as running/capacity, a gateway's conversations; else nothing."""
    if "capacity" in detail:
        return f"{detail.get('running', 0)}/{detail['capacity']}"
    return str(detail.get("conversations", ""))


class Changes:
    """Says what has changed in the services since the last look."""

    def __init__(self, console: Console, every_state: bool) -> None:
        self._console = console
        self._every_state = every_state
        self._states: dict[str, State] = {}
        self._deaths: dict[str, int] = {}

    def tell(self, services: Sequence[Service]) -> None:
        """Print a line for each change; a death always, with the end of the log."""
        for one in services:
            name = one.spec.name
            if one.restarts.count > self._deaths.get(name, 0):
                self._tell_death(one)
            if self._every_state and one.state is not self._states.get(name):
                self._console.print(f"{name}: {one.state}", markup=False)
            self._states[name] = one.state
            self._deaths[name] = one.restarts.count

    def _tell_death(self, one: Service) -> None:
        self._console.print(f"{one.spec.name} stopped ({how(one.last_exit)}); its log ends:")
        for line in last_lines(one.log):
            self._console.print(f"  {line}", markup=False, style="dim", soft_wrap=True)


def how(exit_code: int | None) -> str:
    """How a process ended."""
    if exit_code is None:
        return "unknown"
    return f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"

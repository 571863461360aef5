"""Writes dashboards/*.json: `python -m deploy.grafana.make`, or `make dashboards`."""

import json
from collections.abc import Sequence
from pathlib import Path

from deploy.grafana.boards import calls, capacity, nats, playout, providers
from deploy.grafana.panels import Json, dashboard

BOARDS = (calls.BOARD, capacity.BOARD, providers.BOARD, nats.BOARD, playout.BOARD)
FOLDER = Path(__file__).parent / "dashboards"
RUNBOOKS = ""
"""Where you have docs/operations.md on the web: then each dashboard links to it."""


def links() -> list[Json]:
    """Above each dashboard: the others, with the same time; and what to do about alerts."""
    runbooks = [_link("Runbooks", "link", url=RUNBOOKS)] if RUNBOOKS else []
    return [_link("Parley", "dashboards", tags=["parley"]), *runbooks]


def _link(title: str, kind: str, *, tags: Sequence[str] = (), url: str = "") -> Json:
    return {
        "title": title,
        "type": kind,
        "tags": list(tags),
        "url": url,
        "asDropdown": False,
        "includeVars": False,
        "keepTime": kind == "dashboards",
        "targetBlank": kind == "link",
        "icon": "external link",
        "tooltip": "",
    }


def files() -> dict[Path, str]:
    """What is to stand in each file."""
    made = {FOLDER / f"{board.uid}.json": dashboard(board, links()) for board in BOARDS}
    return {path: json.dumps(one, indent=1) + "\n" for path, one in made.items()}


def main() -> None:
    """Write them all."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""The dashboards as files: those that deploy/grafana/boards describes, and fit for Grafana."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana import make
from monitoring.expressions import DASHBOARDS


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["panels"]
    return found


def test_the_files_are_up_to_date() -> None:
    stale = [path.name for path, text in make.files().items() if path.read_text() != text]
    assert stale == [], "run `make dashboards`"
    assert set(DASHBOARDS) == set(make.files()), "a file that no board describes"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_fit_beside_each_other(path: Path) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels(path):
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24, panel["title"]
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_each_panel_says_what_it_shows(path: Path) -> None:
    found = [panel for panel in panels(path) if panel["type"] != "row"]
    titles = [panel["title"] for panel in found]
    assert len(set(titles)) == len(titles)
    for panel in found:
        assert panel["description"].endswith((".", "?")), panel["title"]
        assert panel["targets"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]

"""What a real Prometheus gives each panel after some minutes of the real engine's calls."""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from monitoring import expressions
from monitoring.calls import everything
from monitoring.expressions import DASHBOARDS
from monitoring.watched import watched
from support.prometheus import Prometheus

SCRAPE_SECONDS = 2.0
RATE_WINDOW = "40s"
STEP = "4"


def record(minutes: float) -> dict[str, Any]:
    """The series of each query, by `board/panel/query`, and the time (ms) that they span."""
    with (
        tempfile.TemporaryDirectory() as folder,
        watched(Path(folder), SCRAPE_SECONDS) as (engine, server),
    ):
        began = time.time()
        while time.time() < began + minutes * 60:
            asyncio.run(everything(engine.url))
        ended = time.time()
        series = {
            key: _ask(server, text, began, ended)
            for path in DASHBOARDS
            for key, text in _queries(path).items()
        }
    return {"from": began * 1000, "to": ended * 1000, "data": series}


def _queries(path: Path) -> dict[str, str]:
    return {
        f"{path.stem}/{panel['id']}/{target['refId']}": target["expr"]
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
        for target in panel.get("targets", [])
    }


def _ask(server: Prometheus, text: str, began: float, ended: float) -> Any:
    query = expressions.filled(text, RATE_WINDOW)
    answer = server.api("query_range", query=query, start=str(began), end=str(ended), step=STEP)
    return answer["result"]

"""What a benchmark prints and keeps."""

import json
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table

Figures = dict[str, float | int]

RESULTS = Path(__file__).parent / "results"


def publish(name: str, title: str, figures: Figures, notes: dict[str, str]) -> None:
    """Print the figures as a table, and write them to results/<name>.json.

    `notes` say of a figure how it was taken.
    """
    table = Table(title=title, caption=f"{platform.machine()}, {_processor()}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("how")
    for key, value in figures.items():
        table.add_row(key, f"{value:g}", notes.get(key, ""))
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0]}" if models else platform.processor()

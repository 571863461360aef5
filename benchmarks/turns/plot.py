"""results/turns.png: how latencies and pauses are spread, with the goals as lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.turns.cases import Kind
from benchmarks.turns.figures import pauses_ms, scored
from benchmarks.turns.running import Run


def draw(runs: Sequence[Run], path: Path) -> None:
    """Three distributions, a curve of each transcriber."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4), constrained_layout=True)
    for run in runs:
        all_ = scored(run)
        yields = [one.yield_ms for _, one in all_ if one.yield_ms is not None]
        clear = [one.response_ms for _, one in all_ if one.kind is Kind.CLEAR]
        responses = [one for one in clear if one is not None]
        for ax, values in zip(axes, (yields, responses, pauses_ms(all_)), strict=True):
            _curve(ax, values, f"{run.transcriber}, {len(values)}")
    _finish(axes[0], "Yield: onset to last audio delivered", {"p50 goal": 250, "p95 goal": 500})
    _finish(axes[1], "Response: clear end to first audio played", {"p50 goal": 700})
    _finish(axes[2], "Tentative pauses that were resumed", {"counts as keeping": 600})
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _curve(ax: Any, values: Sequence[float], label: str) -> None:
    """The share of the values that are at most so long, and the values themselves."""
    ordered = sorted(values)
    shares = [(number + 1) / len(ordered) for number in range(len(ordered))]
    (line,) = ax.step(ordered, shares, where="post", label=label)
    ax.plot(ordered, [-0.03] * len(ordered), "|", color=line.get_color())


def _finish(ax: Any, title: str, goals: dict[str, float]) -> None:
    for style, (name, ms) in zip(("--", ":"), goals.items(), strict=False):
        ax.axvline(ms, color="black", linestyle=style, linewidth=1, label=f"{name}: {ms:.0f} ms")
    ax.set(title=title, xlabel="ms", ylabel="share of cases", ylim=(-0.08, 1.05))
    ax.set_xlim(left=0)
    ax.legend(loc="best", fontsize="small")
    ax.grid(alpha=0.3)

"""What dashboards are made of: a few kinds of panel, the same look everywhere.

A board says what it shows, in rows of panels; `dashboard` makes of it the JSON that Grafana reads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
PER_MINUTE = "suffix:/min"
WIDTH = 24
"""Columns of Grafana's grid."""

Steps = Sequence[tuple[float | None, str]]
"""Thresholds: from which value on, which colour. The first begins at None."""


@dataclass(frozen=True)
class Query:
    """An expression in PromQL, and how its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel. `unit` is Grafana's name for it; `description` says how to read it."""

    kind: Literal["timeseries", "stat", "heatmap"]
    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 8
    height: int = 8
    limits: Steps = ()
    maximum: float | None = None
    stacked: bool = False


@dataclass(frozen=True)
class Variable:
    """A choice above the dashboard: the values of a label."""

    name: str
    title: str
    label_of: str
    label: str


@dataclass(frozen=True)
class Board:
    """A dashboard."""

    uid: str
    title: str
    description: str
    rows: Sequence[tuple[str, Sequence[Panel]]]
    variables: Sequence[Variable] = field(default_factory=tuple)


# --- Expressions


def per_second(metric: str, by: str = "", where: str = "") -> str:
    """How fast a counter grows, summed by labels."""
    return f"{_sum(by)} (rate({metric}{{{where}}}[$__rate_interval]))"


def per_minute(metric: str, by: str = "", where: str = "") -> str:
    """The same a minute: most of what happens in calls happens seldom."""
    return f"60 * {per_second(metric, by, where)}"


def quantile(share: float, metric: str, by: str = "", where: str = "") -> str:
    """A quantile of a histogram, by labels."""
    labels = f"le, {by}" if by else "le"
    rate = f"rate({metric}_bucket{{{where}}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by ({labels}) ({rate}))"


def quantiles(metric: str, *shares: float, where: str = "") -> tuple[Query, ...]:
    """Several quantiles of a histogram, called p50, p95 ..."""
    return tuple(
        Query(quantile(share, metric, where=where), f"p{share * 100:g}") for share in shares
    )


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"


# --- Panels


def lines(
    title: str,
    description: str,
    *queries: Query,
    unit: str = "short",
    width: int = 8,
    limits: Steps = (),
    maximum: float | None = None,
    stacked: bool = False,
) -> Panel:
    """Values over time. `limits` are drawn as dashed lines."""
    return Panel(
        "timeseries",
        title,
        description,
        queries,
        unit,
        width,
        limits=limits,
        maximum=maximum,
        stacked=stacked,
    )


def stat(
    title: str,
    description: str,
    query: str,
    *,
    unit: str = "short",
    width: int = 4,
    limits: Steps = (),
    legend: str = "",
) -> Panel:
    """The value now, large, with its course behind it."""
    queries = (Query(query, legend),)
    return Panel("stat", title, description, queries, unit, width, height=4, limits=limits)


def heat(title: str, description: str, metric: str, *, where: str = "", width: int = 8) -> Panel:
    """A histogram over time: the darker, the more."""
    queries = (Query(per_second(f"{metric}_bucket", "le", where), "{{le}}"),)
    return Panel("heatmap", title, description, queries, "s", width)


# --- Into JSON


def dashboard(board: Board, links: Sequence[Json]) -> Json:
    """The dashboard as Grafana reads it. `links` stand above it."""
    return {
        "id": None,
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": ["parley"],
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [_firing_alerts()]},
        "links": list(links),
        "templating": {"list": [_datasource(), *map(_variable, board.variables)]},
        "panels": _placed(board.rows),
    }


def _placed(rows: Sequence[tuple[str, Sequence[Panel]]]) -> list[Json]:
    """All panels with their ids and places: each row under its title, filled from the left."""
    placed: list[Json] = []
    y = 0
    for title, panels in rows:
        grid = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        row = {"type": "row", "title": title, "collapsed": False, "panels": []}
        placed.append({"id": len(placed) + 1, **row, "gridPos": grid})
        x, y, below = 0, y + 1, y + 1
        for panel in panels:
            if x + panel.width > WIDTH:
                x, y = 0, below
            grid = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            placed.append({"id": len(placed) + 1, **_panel(panel), "gridPos": grid})
            x, below = x + panel.width, max(below, y + panel.height)
        y = below
    return placed


def _panel(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit, **_LOOKS[panel.kind](panel)}
    if panel.kind != "heatmap":
        defaults |= {"min": 0} | ({} if panel.maximum is None else {"max": panel.maximum})
        steps = panel.limits or ((None, "text" if panel.kind == "stat" else "green"),)
        defaults["thresholds"] = {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in steps],
        }
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": [_QUIET] if panel.stacked else []},
        "options": _OPTIONS[panel.kind],
        "targets": [
            _target(panel, query, chr(ord("A") + at)) for at, query in enumerate(panel.queries)
        ],
    }


def _target(panel: Panel, query: Query, ref: str) -> Json:
    form = "heatmap" if panel.kind == "heatmap" else "time_series"
    return {
        "refId": ref,
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "format": form,
        "range": True,
    }


def _timeseries(panel: Panel) -> Json:
    return {
        "color": {"mode": "palette-classic"},
        "custom": {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 25 if panel.stacked else 5,
            "showPoints": "auto",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if panel.limits else "off"},
        },
    }


_QUIET: Json = {
    "matcher": {"id": "byValue", "options": {"reducer": "allIsZero", "op": "gte", "value": 0}},
    "properties": [
        {"id": "custom.hideFrom", "value": {"legend": True, "tooltip": True, "viz": False}}
    ],
}
"""What has not happened is not in the legend: counters are there from the start, at zero."""
_LOOKS: dict[str, Callable[[Panel], Json]] = {
    "timeseries": _timeseries,
    "stat": lambda panel: {"color": {"mode": "thresholds"}},
    "heatmap": lambda panel: {"custom": {"scaleDistribution": {"type": "linear"}}},
}
_OPTIONS: dict[str, Json] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "showPercentChange": False,
        "textMode": "auto",
        "wideLayout": True,
    },
    "heatmap": {
        "calculate": False,
        "cellGap": 1,
        "color": {
            "mode": "scheme",
            "scheme": "Oranges",
            "scale": "exponential",
            "exponent": 0.5,
            "fill": "dark-orange",
            "reverse": False,
            "steps": 64,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": "s"},
    },
}


# --- Above the panels


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": "prometheus"},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
    }


def _variable(one: Variable) -> Json:
    query = f"label_values({one.label_of}, {one.label})"
    return {
        "name": one.name,
        "label": one.title,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": "variable"},
        "current": {"text": "All", "value": "$__all"},
        "allValue": ".*",
        "hide": 0,
        "includeAll": True,
        "multi": True,
        "options": [],
        "refresh": 2,
        "regex": "",
        "sort": 1,
    }


def _firing_alerts() -> Json:
    return {
        "name": "Alerts",
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing", alertname=~"Parley.*"}',
        "step": "60s",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}} {{stage}} {{provider}}",
    }

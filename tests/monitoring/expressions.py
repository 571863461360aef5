"""Every expression of the dashboards, recording rules and alerts, as it can be asked for now."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
RULES = (DEPLOY / "prometheus" / "rules.yml", DEPLOY / "prometheus" / "alerts.yml")

WINDOW = "10m"
"""What Grafana fills in for $__rate_interval: here, long enough for all that a test does."""


@dataclass(frozen=True)
class Expression:
    """One of them: `where` it stands, and its text with all variables filled in."""

    where: str
    text: str


def of(path: Path) -> list[Expression]:
    """All expressions of a file."""
    if path.suffix == ".json":
        return list(_of_dashboard(json.loads(path.read_text(encoding="utf-8"))))
    return list(_of_rules(yaml.safe_load(path.read_text(encoding="utf-8"))))


def _of_dashboard(board: dict[str, Any]) -> Iterator[Expression]:
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield Expression(f"{panel['title']} {target['refId']}", filled(target["expr"]))
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            labelled = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert labelled is not None, variable["query"]
            text = f"count by ({labelled[2]}) ({labelled[1]})"
            yield Expression(f"variable {variable['name']}", text)


def _of_rules(rules: dict[str, Any]) -> Iterator[Expression]:
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "record" in rule:
                yield Expression(rule["record"], rule["expr"])
            else:
                yield Expression(rule["alert"], compared(rule["expr"]))


def filled(text: str, window: str = WINDOW) -> str:
    """A panel's expression, with every choice on All."""
    text = text.replace("$__rate_interval", window)
    return re.sub(r"\$\w+", ".*", text)


_TOKENS = re.compile(r'"[^"]*"|\{[^}]*\}|(?:[<>]=?|[=!]=)(?!=| *bool)|\babsent\(')


def compared(text: str) -> str:
    """An alert's expression, such that it gives all that it compares, true or not.

    An alert that does not fire is empty, and so is one that misspells a metric.
    """

    def weigh(token: re.Match[str]) -> str:
        if token[0] == "absent(":
            return "count("
        return token[0] if token[0][0] in '"{' else f"{token[0]} bool"

    return _TOKENS.sub(weigh, text)

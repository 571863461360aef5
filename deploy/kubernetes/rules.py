"""Makes components/monitoring/rules.yaml of the rules and alerts in deploy/prometheus.

python -m deploy.kubernetes.rules
"""

from pathlib import Path

import yaml

HERE = Path(__file__).parent
SOURCES = [HERE.parent / "prometheus" / name for name in ("rules.yml", "alerts.yml")]
TARGET = HERE / "components" / "monitoring" / "rules.yaml"
HEADER = """\
# Made of deploy/prometheus/rules.yml and alerts.yml by `python -m deploy.kubernetes.rules`: change
# those, and make this anew.
"""


def rule() -> str:
    """The PrometheusRule, as YAML."""
    groups = [
        group
        for source in SOURCES
        for group in yaml.safe_load(source.read_text(encoding="utf-8"))["groups"]
    ]
    made = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "parley"},
        "spec": {"groups": groups},
    }
    return HEADER + yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=100)


if __name__ == "__main__":
    TARGET.write_text(rule(), encoding="utf-8")

"""The Prometheus operator gets the same rules as any other Prometheus."""

import yaml

from deploy.kubernetes import rules
from support.manifests import rendered


def test_the_rules_are_made_of_those_in_deploy_prometheus() -> None:
    made = rules.TARGET.read_text(encoding="utf-8")
    assert made == rules.rule(), "run `python -m deploy.kubernetes.rules`"


def test_every_rule_arrives() -> None:
    def names(groups: list[dict[str, list[dict[str, str]]]]) -> list[str]:
        return [one.get("alert") or one["record"] for group in groups for one in group["rules"]]

    sources = [yaml.safe_load(one.read_text(encoding="utf-8")) for one in rules.SOURCES]
    wanted = [name for source in sources for name in names(source["groups"])]
    rule = rendered("production-hpa").get("PrometheusRule", "parley")
    assert names(rule["spec"]["groups"]) == wanted
    assert len(wanted) > 10

"""What is reached from outside: all that the gateway serves for callers and customers, no more."""

from types import SimpleNamespace
from typing import Any

import pytest

from parley_gateway.app import PROBES, Gateway, build
from support.manifests import Object, rendered

OPERATORS = ("/metrics", "/status", *PROBES)
PRODUCTION = pytest.mark.parametrize("overlay", ["production-hpa", "production-keda"])


def _served() -> set[str]:
    """A path of each route on the callers' port."""
    admission: Any = SimpleNamespace(access=SimpleNamespace(door=None), agents=frozenset())
    shared: Any = SimpleNamespace(recorder=SimpleNamespace(enabled=True))
    nothing: Any = None
    gateway = Gateway(shared, admission, nothing, nothing)
    routes: Any = build(gateway, managed_elsewhere=True).routes
    paths = {str(one.path) or "/" for one in routes}
    return {one.replace("{conversation_id}", "0123456789abcdef") for one in paths}


def _ways_in(overlay: str) -> list[Object]:
    """The Ingress's paths."""
    (ingress,) = rendered(overlay).of("Ingress")
    (rule,) = ingress["spec"]["rules"]
    return list(rule["http"]["paths"])


def _leads(way: Object, path: str) -> bool:
    if way["pathType"] == "Exact":
        return bool(way["path"] == path)
    parts = way["path"].strip("/").split("/")
    return bool(path.strip("/").split("/")[: len(parts)] == parts)


@PRODUCTION
def test_everything_for_callers_is_reached_from_outside(overlay: str) -> None:
    for path in _served() - set(PROBES):
        assert [one for one in _ways_in(overlay) if _leads(one, path)], path


@PRODUCTION
def test_no_way_in_leads_nowhere(overlay: str) -> None:
    for way in _ways_in(overlay):
        assert [path for path in _served() if _leads(way, path)], way["path"]


@PRODUCTION
@pytest.mark.parametrize("path", OPERATORS)
def test_what_operators_read_stays_inside(overlay: str, path: str) -> None:
    assert not [one for one in _ways_in(overlay) if _leads(one, path)]


@PRODUCTION
def test_the_page_may_call_where_it_comes_from(overlay: str) -> None:
    manifests = rendered(overlay)
    (ingress,) = manifests.of("Ingress")
    (rule,), (tls,) = ingress["spec"]["rules"], ingress["spec"]["tls"]
    assert tls["hosts"] == [rule["host"]]
    assert manifests.environment("gateway")["PARLEY_ORIGINS"] == f"https://{rule['host']}"

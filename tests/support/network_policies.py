"""Whom network policies let talk to whom: evaluated as the specification says (pure)."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from support.manifests import Manifests, Object, matches


@dataclass(frozen=True)
class Place:
    """One end of a connection: a pod with its labels and ports, or an address outside."""

    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    namespace: Mapping[str, str] = field(default_factory=dict)
    """The labels of its namespace; empty: the policies' own."""
    address: str = ""


def allowed(manifests: Manifests, source: Place, target: Place, port: int) -> bool:
    """Whether `source` may open a TCP connection to `port` of `target`."""
    policies = [one["spec"] for one in manifests.of("NetworkPolicy")]
    out = _allowed_by(policies, "Egress", "egress", "to", source, target, target, port)
    return out and _allowed_by(policies, "Ingress", "ingress", "from", target, source, target, port)


def _allowed_by(
    policies: list[Object],
    kind: str,
    rules: str,
    side: str,
    subject: Place,
    peer: Place,
    target: Place,
    port: int,
) -> bool:
    if subject.namespace or subject.address:
        return True  # Not in this namespace: these policies are not about it.
    about = [
        one
        for one in policies
        if kind in one["policyTypes"] and matches(one["podSelector"], dict(subject.labels))
    ]
    return not about or any(
        _ports_match(rule.get("ports"), target, port)
        and (side not in rule or any(_is_peer(one, peer) for one in rule[side]))
        for one in about
        for rule in one.get(rules, [])
    )


def _ports_match(ports: list[Object] | None, target: Place, port: int) -> bool:
    if ports is None:
        return True
    numbers = [target.ports.get(str(one["port"]), one["port"]) for one in ports]
    return port in numbers


def _is_peer(rule: Object, peer: Place) -> bool:
    if "ipBlock" in rule:
        if not peer.address:
            return False
        block, address = rule["ipBlock"], ipaddress.ip_address(peer.address)
        excepted = any(address in ipaddress.ip_network(one) for one in block.get("except", []))
        return address in ipaddress.ip_network(block["cidr"]) and not excepted
    if peer.address:
        return False
    if "namespaceSelector" in rule:
        if not matches(rule["namespaceSelector"], dict(peer.namespace)):
            return False
    elif peer.namespace:
        return False
    return "podSelector" not in rule or matches(rule["podSelector"], dict(peer.labels))

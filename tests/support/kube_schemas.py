"""What the API server would say of an object: its schema, with every unknown field an error."""

import functools
import importlib
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]

VERSIONS = ("1.30", "1.34")
"""The oldest Kubernetes that will do, and a new one."""
MODELS = {
    "keda.sh/v1alpha1": "cloudcoil.models.keda.v1alpha1",
    "monitoring.coreos.com/v1": "cloudcoil.models.prometheus_operator.v1",
    "cert-manager.io/v1": "cloudcoil.models.cert_manager.v1",
}
"""Custom resources: typed models of their definitions."""


def faults(thing: dict[str, Any]) -> list[str]:
    """What is wrong with an object, in words."""
    name = f"{thing['kind']}/{thing['metadata']['name']}"
    if thing["apiVersion"] in MODELS:
        errors = _validator(thing["apiVersion"], thing["kind"]).iter_errors(thing)
        return [f"{name}: {one.json_path} {one.message[:200]}" for one in errors]
    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(thing, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(map(str, error.path))
            found.append(f"{name}, Kubernetes {version}: {where} {error.message[:200]}")
    return found


@functools.cache
def _validator(api: str, kind: str) -> Any:
    model = getattr(importlib.import_module(MODELS[api]), kind)
    schema = _closed(model.model_json_schema(by_alias=True))
    return jsonschema.Draft202012Validator(schema)


def _closed(schema: Any) -> Any:
    """The schema, but an object that lists its properties has no others."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(one) for name, one in schema.items()}
    if closed.get("type") == "object" and isinstance(schema.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed

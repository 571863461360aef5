"""Providers that serve many jobs: one instance for all that ask for the same settings."""

import json
from collections.abc import Callable
from typing import Generic, TypeVar

from parley import providers
from parley.messages import Retry, Spec
from parley.providers import Provider, ProviderError, ProviderSettings
from parley.subjects import Stage

KEPT = 64
"""So many instances, each with settings of its own, are kept for the next job."""

Kind = TypeVar("Kind", bound=Provider)


def asked_for(spec: Spec) -> str:
    """The same text for all jobs that ask for the same provider with the same settings."""
    return json.dumps([spec.provider, spec.settings], sort_keys=True, default=str)


class Instances(Generic[Kind]):
    """The instances of one process, of one kind of provider."""

    def __init__(
        self,
        stage: Stage,
        kind: type[Kind],
        make: Callable[[type[Kind], ProviderSettings, Spec], Kind],
    ) -> None:
        self._stage = stage
        self._kind = kind
        self._make = make
        self._kept: dict[str, Kind] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, spec: Spec) -> Kind:
        """The provider that the spec asks for. Raises ProviderError."""
        key = f"{spec.language} {asked_for(spec)}"
        if key not in self._kept:
            provider = providers.load(self._stage, spec.provider)
            if not issubclass(provider, self._kind):
                wanted = self._kind.__name__.lower()
                raise ProviderError(f"{spec.provider!r} is no {wanted}", Retry.NEVER)
            made = self._make(provider, providers.settings_for(provider, spec.settings), spec)
            if len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = made
        return self._kept[key]

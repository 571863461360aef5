"""`parley doctor --providers`: has every provider that the agents name do a little, for real."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

from parley import profiles
from parley.instances import asked_for
from parley.messages import Spec
from parley.profiles import Profile
from parley.providers import ProviderError
from parley.subjects import Stage
from parley.trial import try_out
from parley_cli.checks import Check, Level


def providers(path: Path | None) -> Iterator[Check]:
    """A check of each provider, with its settings, that agents.yaml names. Costs a few tokens."""
    try:
        found = profiles.load(path)
    except profiles.ProfileError:
        return  # another check has said so
    tried: set[str] = set()
    for profile in found.agents.values():
        for stage, spec in _specs(profile):
            key = json.dumps([stage, spec.language, asked_for(spec)])
            if key not in tried:
                tried.add(key)
                yield _try(stage, spec)


def _specs(profile: Profile) -> Iterator[tuple[Stage, Spec]]:
    for stage in Stage:
        for choice in profile.candidates(stage):
            provider, settings = choice.provider, choice.settings
            yield stage, Spec(provider=provider, settings=settings, language=profile.language)


def _try(stage: Stage, spec: Spec) -> Check:
    what = f"{stage} {spec.provider}"
    try:
        seconds = asyncio.run(try_out(stage, spec))
    except ProviderError as error:
        mend = "see docs/providers.md for its key and settings"
        return Check(Level.FAIL, what, str(error), mend)
    return Check(Level.OK, what, f"works, {seconds:.1f} s from nothing to its first answer")

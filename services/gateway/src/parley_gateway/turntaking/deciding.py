"""Finds the deciders that profiles name."""

from collections.abc import Callable

from parley import deciders
from parley.deciders import Decider, UnknownDecider
from parley.policies import Interruption
from parley.profiles import Profile, ProfileError, Profiles


def decider_for(profile: Profile) -> Callable[[Interruption], Decider]:
    """Makes a call's decider for a policy of this profile's. The maker raises UnknownDecider.

    One for each policy: finding it takes milliseconds, and it may remember the call.
    """
    made: list[tuple[Interruption, Decider]] = []

    def make(policy: Interruption) -> Decider:
        for known, decider in made:
            if known == policy:
                return decider
        decider = deciders.load(policy.decider)(policy, profile.language)
        made.append((policy, decider))
        return decider

    return make


def check(profiles: Profiles) -> None:
    """Raises ProfileError where an agent names a decider that is not installed here."""
    for name, profile in profiles.agents.items():
        for policy in profile.interruptions:
            try:
                deciders.load(policy.decider)
            except UnknownDecider as error:
                raise ProfileError(f"agent {name}: interruption.decider: {error}") from None

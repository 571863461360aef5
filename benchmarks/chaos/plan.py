"""What happens in a run: drawn from a seed, so that any run can be made again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """The part of a turn in which a fault hits."""

    USER_SPEAKS = "user speaks"
    END_OF_TURN = "end of turn"
    MODEL_WRITES = "model writes"
    BOT_SPEAKS = "bot speaks"
    BARGE_IN = "barge-in"


class Action(StrEnum):
    """What is done to the process, or the server, that is hit."""

    KILL = "kill"
    FREEZE = "freeze"
    RESTART = "restart"
    CUT_OFF = "cut off"
    SLOW_DOWN = "slow down"


WINDOWS = {
    Phase.USER_SPEAKS: (0.2, 3.0),
    Phase.END_OF_TURN: (0.0, 1.0),
    Phase.MODEL_WRITES: (0.0, 0.5),
    Phase.BOT_SPEAKS: (0.1, 4.0),
    Phase.BARGE_IN: (0.0, 0.8),
}
"""How long (s) after the phase has begun the fault may hit.

A phase begins with the caller's first word, the caller's last word, the reply's first text,
the reply's first sound, the interrupting word.
"""

WHILE_MAKING = {Phase.BOT_SPEAKS: (0.1, 1.3), Phase.BARGE_IN: (0.0, 0.35)}
"""The same for agent and tts workers, whose jobs are over long before the bot has said it all."""

BUSY_PHASES = {
    "stt": tuple(Phase),
    "agent": (Phase.END_OF_TURN, Phase.MODEL_WRITES, Phase.BOT_SPEAKS, Phase.BARGE_IN),
    "tts": (Phase.END_OF_TURN, Phase.MODEL_WRITES, Phase.BOT_SPEAKS, Phase.BARGE_IN),
    "gateway": tuple(Phase),
    "nats": tuple(Phase),
    "leader": tuple(Phase),
}
"""The phases in which what is hit may have something to lose."""

ASLEEP_SECONDS = (2.0, 5.0)
"""How long a frozen process stays frozen, and how long a line is cut or slow."""


@dataclass(frozen=True)
class Plan:
    """One run: who is hit, how, and when."""

    seed: int
    part: str
    number: int
    target: str
    action: Action
    phase: Phase
    offset: float
    """Seconds from the phase's beginning to the fault."""
    asleep: float = 0.0
    """How long (s) the fault lasts, if it passes."""

    def __str__(self) -> str:
        asleep = f" for {self.asleep:.1f} s" if self.asleep else ""
        return (
            f"{self.part} run {self.number} of seed {self.seed}: {self.action} {self.target}"
            f"{asleep}, {self.offset:.2f} s into '{self.phase}'"
        )


def draw(
    seed: int, part: str, number: int, targets: Sequence[str], actions: Sequence[Action]
) -> Plan:
    """The plan of run `number`: targets take turns; all pairs of action and phase are dealt.

    An action that is named twice is dealt twice as often.
    """
    target = targets[number % len(targets)]
    pairs = [(action, phase) for action in actions for phase in BUSY_PHASES[target]]
    random.Random(f"{seed} {part} {target}").shuffle(pairs)
    action, phase = pairs[number // len(targets) % len(pairs)]
    chance = random.Random(f"{seed} {part} {number}")
    lasts = action in (Action.FREEZE, Action.CUT_OFF, Action.SLOW_DOWN)
    return Plan(
        seed=seed,
        part=part,
        number=number,
        target=target,
        action=action,
        phase=phase,
        offset=chance.uniform(*window(target, phase)),
        asleep=chance.uniform(*ASLEEP_SECONDS) if lasts else 0.0,
    )


def window(target: str, phase: Phase) -> tuple[float, float]:
    """How long (s) after the phase has begun a fault may hit that target: earliest, latest."""
    making = WHILE_MAKING if target in ("agent", "tts") else {}
    return making.get(phase, WINDOWS[phase])

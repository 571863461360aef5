"""A turn's timeline on the gateway's clock: into metrics, and one log line a turn."""

from dataclasses import dataclass, field

from parley import logs
from parley_gateway import metrics

log = logs.get(__name__)

STAGES = (
    "speech_end",
    "end_of_turn",
    "final_transcription",
    "first_token",
    "first_sentence",
    "first_audio",
    "first_delivered",
    "reply_complete",
    "heard",
)
"""In the order in which they usually come; what did not happen is left out."""


@dataclass
class Timeline:
    """When each stage of one turn was first reached, in seconds on the loop's clock."""

    turn: int
    reached: dict[str, float] = field(default_factory=dict)

    def mark(self, stage: str, at: float) -> None:
        """The turn has reached a stage; only the first time counts."""
        self.reached.setdefault(stage, at)

    def copy(self) -> "Timeline":
        """Another one that has reached the same."""
        return Timeline(self.turn, dict(self.reached))

    def merge(self, other: "Timeline") -> None:
        """What `other` has reached counts for this one too."""
        self.reached = other.reached | self.reached

    def since_speech_end_ms(self) -> dict[str, float]:
        """Each stage in ms since the caller's speech ended, or since the turn began without any."""
        if not self.reached:
            return {}
        zero = self.reached.get("speech_end", min(self.reached.values()))
        return {
            stage: round((self.reached[stage] - zero) * 1000, 1)
            for stage in STAGES
            if stage in self.reached
        }

    def finish(self, conversation_id: str, outcome: str, **fields: object) -> None:
        """The turn is over: count, observe and log it."""
        stages = self.since_speech_end_ms()
        metrics.TURNS.labels(outcome).inc()
        if "speech_end" in stages:
            for stage, ms in stages.items():
                metrics.STAGES.labels(stage).observe(max(ms, 0) / 1000)
            if "first_delivered" in stages:
                metrics.VOICE_TO_VOICE.observe(max(stages["first_delivered"], 0) / 1000)
        log.info(
            "turn",
            conversation=conversation_id,
            turn=self.turn,
            outcome=outcome,
            **{f"{stage}_ms": ms for stage, ms in stages.items()},
            **fields,
        )

"""A turn's timeline on the gateway's clock: into metrics, and one log line a turn."""

from dataclasses import dataclass, field

from parley import logs
from parley.metrics import start_at_zero
from parley.subjects import Stage
from parley.tracing import Span
from parley_gateway import metrics
from parley_gateway.turn_trace import Interruption, TurnTrace

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
start_at_zero(metrics.STAGES, STAGES)


@dataclass
class Timeline:
    """When each stage of one turn was first reached, in seconds on the loop's clock."""

    turn: int
    trace: TurnTrace = field(default_factory=TurnTrace)
    reached: dict[str, float] = field(default_factory=dict)
    recognition_ms: float = 0.0
    """What the transcriber has taken for the last words."""
    interruption: Interruption | None = None
    """How the caller's voice stopped the reply."""

    def mark(self, stage: str, at: float) -> None:
        """The turn has reached a stage; only the first time counts."""
        self.reached.setdefault(stage, at)

    def copy(self) -> "Timeline":
        """Another one that has reached the same."""
        return Timeline(self.turn, self.trace, dict(self.reached), self.recognition_ms)

    def merge(self, other: "Timeline") -> None:
        """What `other` has reached counts for this one too."""
        self.reached = other.reached | self.reached
        self.recognition_ms = other.recognition_ms

    def attempt(self, stage: Stage, provider: str) -> Span:
        """A job of the turn's is given away now."""
        began = min(self.reached.values(), default=None)
        return self.trace.attempt(stage, provider, self.reached.get("speech_end", began))

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
        trace_id = self.trace.finish(outcome, self.reached, self.interruption, self.recognition_ms)
        log.info(
            "turn",
            conversation=conversation_id,
            turn=self.turn,
            outcome=outcome,
            **{f"{stage}_ms": ms for stage, ms in stages.items()},
            **({"trace_id": trace_id} if trace_id else {}),
            **fields,
        )

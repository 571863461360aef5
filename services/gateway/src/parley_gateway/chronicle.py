"""What happened in a conversation, for its record: each event once, whoever holds the call."""

from collections.abc import Callable

from parley import logs
from parley.transcript import Entry
from parley_gateway import metrics
from parley_gateway.jobs import JobLost

log = logs.get(__name__)

Record = Callable[..., None]


class Chronicle:
    """Records a conversation's events under keys that are the same for whoever repeats them."""

    def __init__(
        self, conversation_id: str, record: Record, epoch: int, *, log_texts: bool = False
    ) -> None:
        self.conversation_id = conversation_id
        self._record = record
        self._epoch = epoch
        self._failovers = 0
        self._log_texts = log_texts

    def said(self, entry: Entry) -> None:
        """One side has said something, and it is in the history. Logged only where asked for."""
        kind = "user" if entry.speaker == "human" else "bot"
        if self._log_texts:
            log.info(
                "said",
                conversation=self.conversation_id,
                turn=entry.turn,
                speaker=entry.speaker,
                text=entry.text,
            )
        key = f"{kind}-{entry.turn}"
        self._record(kind, key, turn=entry.turn, text=entry.text, cut_off=entry.cut_off)

    def left_at(self, turn: int, heard: str) -> None:
        """The caller is gone, and has heard so much of a reply. Should they come back, what they
        hear of it in the end is recorded later, and counts.
        """
        if heard:
            key = f"bot-{turn}-left-{self._epoch}"
            self._record("bot", key, turn=turn, text=heard, cut_off=True)

    def tool(self, turn: int, call_id: str, name: str, *, ok: bool, took_ms: float) -> None:
        """A tool has returned. What it was asked, and what it gave, is not recorded."""
        key = f"tool-{turn}-{call_id}"
        self._record("tool", key, turn=turn, name=name, ok=ok, took_ms=took_ms)

    def turn(self, turn: int, outcome: str, stages_ms: dict[str, float]) -> None:
        """A turn is over; when it reached which stage, since the caller's speech ended."""
        spoken = "speech_end" in stages_ms
        self._record(
            "turn",
            f"turn-{turn}-{self._epoch}",
            turn=turn,
            outcome=outcome,
            voice_to_voice_ms=stages_ms.get("first_delivered") if spoken else None,
            stages_ms=stages_ms,
        )

    def failover(self, lost: JobLost) -> None:
        """A job was lost, and another worker is sought."""
        self._failovers += 1
        metrics.FAILOVERS.labels(lost.stage).inc()
        log.warning(
            "job lost, looking for another worker",
            conversation=self.conversation_id,
            stage=str(lost.stage),
            reason=str(lost),
        )
        key = f"failover-{self._epoch}-{self._failovers}"
        self._record("failover", key, stage=str(lost.stage), reason=str(lost))

    def failed(self, turn: int, lost: JobLost) -> None:
        """A turn's answer was lost for good."""
        log.warning("reply lost", conversation=self.conversation_id, turn=turn, reason=str(lost))
        key = f"failed-{self._epoch}-{turn}"
        self._record("failed", key, turn=turn, stage=str(lost.stage), reason=str(lost))

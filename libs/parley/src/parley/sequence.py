"""The receiving end of `seq`: a gap is noticed and counted, a repeat is dropped."""

from parley import metrics


class Sequence:
    """Follows the seq of one job's messages in one direction."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._next = 0
        self.missing = 0

    def admit(self, seq: int) -> bool:
        """Whether a message with this seq is new. Counts those that were skipped."""
        if seq < self._next:
            metrics.MESSAGES_DROPPED.labels("repeated").inc()
            return False
        skipped = seq - self._next
        if skipped:
            self.missing += skipped
            metrics.SEQ_GAPS.labels(self._stage).inc(skipped)
        self._next = seq + 1
        return True

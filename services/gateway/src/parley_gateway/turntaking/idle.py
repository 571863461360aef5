"""A caller who says nothing: asked some times, then taken leave of. Pure."""

from parley.policies import Idle, Message


class IdleCaller:
    """Counts the questions that a silent caller was asked. Times in s on any steady clock."""

    def __init__(self, policy: Idle) -> None:
        self._policy = policy
        self._since: float | None = None
        self._asked = 0
        self.leaving = False
        """Whether the goodbye has been chosen: the call ends once it is said."""

    @property
    def deadline(self) -> float | None:
        """When `next` is due; None while somebody speaks."""
        if self._since is None or not self._policy.after_seconds:
            return None
        return self._since + self._policy.after_seconds

    def silent(self, now: float) -> None:
        """Nobody speaks from now on."""
        self._since = now

    def busy(self) -> None:
        """Somebody speaks, or is about to."""
        self._since = None

    def answered(self) -> None:
        """The caller is there: questions begin with the first again."""
        self._asked = 0
        self.leaving = False

    def next(self) -> Message:
        """What to say now; after the last question the goodbye, which may be empty."""
        questions = self._policy.questions
        if self._asked < len(questions):
            self._asked += 1
            return questions[self._asked - 1]
        self.leaving = True
        return self._policy.goodbye

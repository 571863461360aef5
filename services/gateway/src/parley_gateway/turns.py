"""Turn-taking: whose turn it is, and what interrupts. Pure; fed with events, gives actions.

listening    the caller may speak; the bot is silent
thinking     the caller is done, the reply is being made, nothing of it was heard
speaking     the caller hears the bot
interrupted  the caller talked over the bot, or before it began, and is not done yet
"""

from dataclasses import dataclass
from enum import StrEnum

from parley.profiles import Interruption


class State(StrEnum):
    """Where a conversation stands."""

    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Interrupt:
    """Stop this turn's reply, at once."""

    turn: int


@dataclass(frozen=True)
class Answer:
    """Reply to what the caller said. An empty `text`: to the history as it stands."""

    turn: int
    text: str
    is_interrupt: bool


Action = Interrupt | Answer

GREETING_TURN = 0


class TurnTaking:
    """One conversation's turns, numbered from 1. Turn 0 is the greeting."""

    def __init__(self, policy: Interruption) -> None:
        self.state = State.LISTENING
        self.turn = GREETING_TURN
        self._policy = policy
        self._said: list[str] = []
        self._partial = ""
        self._voiced_ms = 0.0
        self._unanswered = False

    def greeting_begins(self) -> None:
        """The bot speaks first."""
        self.state = State.THINKING

    def restore(self, turn: int, said: list[str], *, replying: bool) -> None:
        """Go on where another gateway had to stop; `replying`: the turn's reply is not over."""
        self.turn = turn
        self._said = list(said)
        self._unanswered = replying
        if replying:
            self.state = State.THINKING

    @property
    def said(self) -> list[str]:
        """Final transcriptions of the turn that is not over yet."""
        return list(self._said)

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks or is about to."""
        return self.state is State.LISTENING and not self._said and not self._partial

    # --- The caller

    def speech_started(self) -> None:
        """The caller's voice sets in."""
        self._voiced_ms = 0.0

    def speech_progress(self, voiced_ms: float) -> list[Action]:
        """The caller has spoken for so long without a pause."""
        self._voiced_ms = voiced_ms
        return self._interrupt_if_meant()

    def transcription(self, text: str, is_final: bool) -> list[Action]:
        """Something of what the caller says was recognised."""
        if is_final:
            self._partial = ""
            if text:
                self._said.append(text)
        else:
            self._partial = text
        return self._interrupt_if_meant()

    def end_of_turn(self) -> list[Action]:
        """The caller is done."""
        text, was = " ".join(self._said), self.state
        if self._protected:
            return []
        self._said.clear()
        self._partial = ""
        if not text:
            return self._nothing_said()
        actions = self._stop()
        return [*actions, self._answer(text, bool(actions) or was is State.INTERRUPTED)]

    def user_text(self, text: str) -> list[Action]:
        """The caller has typed a turn; it interrupts, and what was being said belongs to it."""
        actions = self._stop()
        text = " ".join([*self._said, text])
        self._said.clear()
        self._partial = ""
        return [*actions, self._answer(text, bool(actions))]

    def interrupt(self) -> list[Action]:
        """The caller's side asks for silence. It always gets it."""
        actions = self._stop()
        if actions:
            self.state = State.LISTENING
        return actions

    # --- The bot

    def reply_heard(self, turn: int) -> None:
        """The first audio of this turn's reply goes out."""
        if turn == self.turn and self.state is State.THINKING:
            self.state = State.SPEAKING
            self._unanswered = False

    def reply_ended(self, turn: int) -> list[Action]:
        """The reply was heard to its end, or failed. Answers what was said while protected."""
        if turn != self.turn or self.state not in (State.THINKING, State.SPEAKING):
            return []
        self.state = State.LISTENING
        self._unanswered = False
        if self._said and not self._policy.enabled:
            text = " ".join(self._said)
            self._said.clear()
            return [self._answer(text, is_interrupt=False)]
        return []

    # --- Decisions

    @property
    def _protected(self) -> bool:
        return not self._policy.enabled and self.state in (State.THINKING, State.SPEAKING)

    def _interrupt_if_meant(self) -> list[Action]:
        policy = self._policy
        if self.state is State.SPEAKING:
            threshold = policy.min_speech_ms
        elif self.state is State.THINKING:
            threshold = policy.min_speech_ms_thinking
        else:
            return []
        words = len(" ".join([*self._said, self._partial]).split())
        if not policy.enabled or self._voiced_ms < threshold or words < policy.min_words:
            return []
        actions = self._stop()
        self.state = State.INTERRUPTED
        return actions

    def _stop(self) -> list[Action]:
        if self.state not in (State.THINKING, State.SPEAKING):
            return []
        return [Interrupt(self.turn)]

    def _nothing_said(self) -> list[Action]:
        """Voice without words: noise, a cough. A turn that it kept from its answer gets it."""
        if self.state is not State.INTERRUPTED:
            return []
        if self._unanswered:
            return [self._answer("", is_interrupt=False)]
        self.state = State.LISTENING
        return []

    def _answer(self, text: str, is_interrupt: bool) -> Answer:
        self.turn += 1
        self.state = State.THINKING
        self._unanswered = True
        self._voiced_ms = 0.0
        return Answer(self.turn, text, is_interrupt)

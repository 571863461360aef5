"""What turn-taking has the conversation do."""

from dataclasses import dataclass

from parley.policies import Message


@dataclass(frozen=True)
class Prepare:
    """The caller is probably done: have this turn's reply made, and let nobody hear it yet."""

    turn: int
    text: str
    is_interrupt: bool


@dataclass(frozen=True)
class Drop:
    """The reply that was prepared for this turn is not wanted."""

    turn: int


@dataclass(frozen=True)
class Answer:
    """Reply to what the caller said. An empty `text`: to the history as it stands.

    `prepared`: the reply that was prepared for this turn is the one.
    """

    turn: int
    text: str
    is_interrupt: bool = False
    prepared: bool = False


@dataclass(frozen=True)
class Say:
    """The bot speaks of itself: a greeting, a question to somebody who is silent."""

    turn: int
    message: Message


@dataclass(frozen=True)
class Pause:
    """Be silent at once: this turn's reply may have to end here."""

    turn: int


@dataclass(frozen=True)
class Resume:
    """It need not: go on from the word where it stopped."""

    turn: int


@dataclass(frozen=True)
class Interrupt:
    """This turn's reply is over, at once and for good."""

    turn: int


@dataclass(frozen=True)
class Backchannel:
    """These words of the caller take no turn; that of the bot goes on."""

    turn: int
    text: str


@dataclass(frozen=True)
class HangUp:
    """The caller has been silent for too long: end the call."""


Action = Prepare | Drop | Answer | Say | Pause | Resume | Interrupt | Backchannel | HangUp

"""The history of a conversation."""

from dataclasses import dataclass, field
from typing import Literal

from parley.messages import ChatMessage
from parley.tool_rounds import ToolRound, messages_of, with_old_results_cut


@dataclass
class Entry:
    """What one side said in one turn. `cut_off`: an interruption left it at `text`.

    `rounds`: the tools that the bot called in that turn, between its words.
    """

    speaker: Literal["human", "bot"]
    turn: int
    text: str
    cut_off: bool = False
    rounds: list[ToolRound] = field(default_factory=list)


@dataclass
class Transcript:
    """What was said, in order. The bot's entries hold what the caller has heard, not more."""

    prompt: str = ""
    entries: list[Entry] = field(default_factory=list)

    def copy(self) -> "Transcript":
        """Another one with the same entries, for one who adds to it."""
        return Transcript(self.prompt, list(self.entries))

    def add_human_message(self, turn: int, text: str) -> None:
        """The caller said `text`, and turn `turn` answers it."""
        self.entries.append(Entry("human", turn, text))

    def add_bot_message(
        self,
        turn: int,
        text: str,
        *,
        cut_off: bool = False,
        rounds: list[ToolRound] | None = None,
    ) -> None:
        """The bot's words of that turn, as far as they were heard, and the tools that it called.

        Nothing where there was neither.
        """
        if text or rounds:
            self.entries.append(Entry("bot", turn, text, cut_off, rounds or []))

    def last_bot_message(self) -> Entry | None:
        """The bot's latest entry."""
        return next((entry for entry in reversed(self.entries) if entry.speaker == "bot"), None)

    def update_last_bot_message_on_cut_off(self, text: str) -> None:
        """The bot's latest entry was cut: only `text` of it was heard."""
        entry = self.last_bot_message()
        if entry is None:
            return
        entry.text, entry.cut_off = text, True
        if not text and not entry.rounds:
            self.entries.remove(entry)

    def to_messages(self) -> list[ChatMessage]:
        """The history for a language model: the prompt first, then alternating roles.

        Entries of one side that follow each other become one message, since many models
        refuse two of the same role in a row. Tools stand where they were called, with what
        they gave.
        """
        messages = [ChatMessage(role="system", content=self.prompt)] if self.prompt else []
        for entry in self.entries:
            if entry.speaker == "human":
                _add(messages, ChatMessage(role="user", content=entry.text))
            else:
                for message in messages_of(entry.text, entry.rounds):
                    _add(messages, message)
        return with_old_results_cut(messages)


def _add(messages: list[ChatMessage], message: ChatMessage) -> None:
    last = messages[-1] if messages else None
    if last is None or last.role != message.role or last.role == "tool":
        messages.append(message)
        return
    text = f"{last.content} {message.content}".strip()
    messages[-1] = message.model_copy(update={"content": text})

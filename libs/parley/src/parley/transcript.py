"""The history of a conversation."""

from dataclasses import dataclass, field
from typing import Literal

from parley.messages import ChatMessage


@dataclass
class Entry:
    """What one side said in one turn. `cut_off`: an interruption left it at `text`."""

    speaker: Literal["human", "bot"]
    turn: int
    text: str
    cut_off: bool = False


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

    def add_bot_message(self, turn: int, text: str, *, cut_off: bool = False) -> None:
        """The bot's words of that turn, as far as they were heard; nothing where none were."""
        if text:
            self.entries.append(Entry("bot", turn, text, cut_off))

    def last_bot_message(self) -> Entry | None:
        """The bot's latest entry."""
        return next((entry for entry in reversed(self.entries) if entry.speaker == "bot"), None)

    def update_last_bot_message_on_cut_off(self, text: str) -> None:
        """The bot's latest entry was cut: only `text` of it was heard."""
        entry = self.last_bot_message()
        if entry is None:
            return
        entry.text, entry.cut_off = text, True
        if not text:
            self.entries.remove(entry)

    def to_messages(self) -> list[ChatMessage]:
        """The history for a language model: the prompt first, then alternating roles.

        Entries of one side that follow each other become one message, since many models
        refuse two of the same role in a row.
        """
        messages = [ChatMessage(role="system", content=self.prompt)] if self.prompt else []
        for entry in self.entries:
            role: Literal["user", "assistant"] = "user" if entry.speaker == "human" else "assistant"
            if messages and messages[-1].role == role:
                text = f"{messages.pop().content} {entry.text}"
                messages.append(ChatMessage(role=role, content=text))
            else:
                messages.append(ChatMessage(role=role, content=entry.text))
        return messages

"""A conversation as it is printed: what is still being said in place, what was said as lines."""

from collections import defaultdict
from contextlib import nullcontext

from rich.console import Console
from rich.live import Live
from rich.text import Text

from parley_cli import latency
from parley_cli.call import Call, Event
from parley_cli.connection import in_words


class View:
    """Turns a call's events into lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._replies: defaultdict[int, str] = defaultdict(str)
        self._speaking: int | None = None
        self._undecided: list[str] = []  # said over the bot; it may be no turn
        self._lost_at = 0.0

    async def follow(self, call: Call) -> None:
        """Print the conversation until the call is over."""
        on_terminal = self._console.is_terminal
        live = Live(console=self._console, auto_refresh=False, transient=True)
        with live if on_terminal else nullcontext() as self._live:
            async for event in call.follow():
                self.show(event)
            self._decided()
            self._in_place("")

    def show(self, event: Event) -> None:
        """Print what the event means, if it means anything to a person."""
        data = event.data
        if note := self._note(event):
            self._line("", note, "")
        match event.type:
            case "transcription" | "backchannel":
                self._show_caller(event)
            case "reply" | "speaking" | "paused" | "resumed" | "spoken":
                self._show_bot(event)
            case "error":
                self._line("error", data["message"], "red")
            case "end":
                self._decided()
                self._line("end", in_words(data.get("reason", "")), "dim")

    def _show_caller(self, event: Event) -> None:
        message = event.data["message"]
        match event.type:
            case "transcription" if event.data.get("is_final"):
                self._undecided.append(message)
                if self._speaking is None:
                    self._decided()
            case "transcription":
                self._in_place(f"you: {message}")
            case "backchannel" if self._undecided:
                self._undecided.clear()
                self._line("you", f"({message})", "dim")
                self._say()

    def _show_bot(self, event: Event) -> None:
        data, turn = event.data, event.data["turn"]
        match event.type:
            case "reply":
                before = "" if data.get("restart") else self._replies[turn]
                self._replies[turn] = before + data["text"]
                if self._speaking == turn:
                    self._say()
            case "speaking":
                self._speaking = turn
                self._say()
            case "paused":
                self._say(" (pauses)")
            case "resumed":
                self._say()
            case "spoken":
                self._speaking = None
                mark = " [red]-- interrupted[/]" if data.get("cut_off") else ""
                self._line("bot", data["text"], "green", mark)
                self._decided()

    def _note(self, event: Event) -> str | None:
        """What happens beside speaking, if the event says anything of that."""
        match event.type:
            case "connection_lost":
                self._lost_at = event.at
                return "connection lost, reconnecting ..."
            case "ready" if event.data.get("resumed"):
                self._decided()
                self._speaking = None
                self._replies.clear()  # What was not heard is written again.
                return f"back after {event.at - self._lost_at:.1f} s"
            case "holding":
                return f"on hold: {event.data.get('reason', 'the engine is away')}"
            case "back":
                return "the engine is back"
            case "tool_called":
                return f"({event.data['name']})"
            case "transfer":
                return f"(transfer to {event.data['destination']}: {event.data['number']})"
            case "dtmf":
                return f"(keys {event.data['digits']})"
        return None

    def _decided(self) -> None:
        """What was said over the bot, if anything, is a turn."""
        for text in self._undecided:
            self._line("you", text, "cyan")
        self._undecided.clear()

    def _say(self, mark: str = "") -> None:
        """Show the reply that is being spoken, if one is."""
        if self._speaking is not None:
            self._in_place(f"bot{mark}: {self._replies[self._speaking]}")

    def _line(self, who: str, text: str, style: str, mark: str = "") -> None:
        self._in_place("")
        if text or mark:
            label = (f"{who}: ", style) if who else ""
            line = Text.assemble(label, text) + Text.from_markup(mark)
            self._console.print(line, soft_wrap=True)

    def _in_place(self, text: str) -> None:
        if self._live is not None:
            self._live.update(Text(text, style="dim"), refresh=True)


def summary(call: Call) -> str:
    """The call in a line or two."""
    turns = latency.of_call(call)
    seconds = len(call.bot_audio) / call.options.sample_rate
    cut = sum(1 for one in call.events if one.type == "spoken" and one.data.get("cut_off"))
    replies = "1 reply" if len(turns) == 1 else f"{len(turns)} replies"
    parts = [replies, f"{cut} interrupted", f"{seconds:.1f} s"]
    times = [
        f"turn {one.turn}: {one.voice_to_voice_ms:.0f} ms"
        for one in turns
        if one.voice_to_voice_ms is not None
    ]
    lines = [", ".join(parts)]
    if times:
        lines.append(f"voice to voice: {', '.join(times)}")
    if gaps := call.playback.gaps:
        longest = max(gap.ms for gap in gaps)
        lines.append(f"gaps inside replies: {len(gaps)}, the longest {longest:.0f} ms")
    return "\n".join(lines)

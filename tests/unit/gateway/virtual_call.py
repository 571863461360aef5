"""A call in virtual time: plays what timeline.py reads, with the real machine and decider.

It tells the machine what stt would: an onset 0.1 s after it, voice every 96 ms, its end after
0.15 s of silence; partial transcriptions of the first 0.2 s, 0.4 s, ... and, once it has ended, of
all of it. Replies are heard as the machine has them: paused ones go on from where they were.

A line of the log has the time, what the machine wants done, or what happened, and the state where
that is another.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import NamedTuple

from unit.gateway.timeline import Voice, read

from parley.deciders import Decider
from parley.policies import Interruption
from parley_gateway import turntaking
from parley_gateway.spoken import SpokenTurn
from parley_gateway.turntaking import BotContext, TurnTaking
from parley_gateway.turntaking.words import WordsDecider

ONSET, PROGRESS, HANGOVER, PARTIALS = 0.1, 0.096, 0.15, 0.2
"""When the caller's voice is told of, and its words (s)."""

MakeDecider = Callable[[Interruption], Decider]


class Transition(NamedTuple):
    """A row of the table in docs/turn-taking.md. `actions`: their names, with commas."""

    state: str
    event: str
    actions: str
    next: str


def play(script: str, make_decider: MakeDecider | None = None) -> str:
    """The log of a call."""
    return "\n".join(Call(script, make_decider).log) or "nothing"


@dataclass
class Reply:
    """The bot's, as far as it is known and heard. Times in s."""

    turn: int
    text: str
    ready_at: float
    length: float
    heard: float = 0.0
    since: float | None = None
    held: bool = False

    def heard_at(self, now: float) -> float:
        """How much of it was heard."""
        return self.heard + (0.0 if self.since is None else now - self.since)

    @property
    def next_at(self) -> float | None:
        """When it is heard for the first time, or its end is."""
        if self.held:
            return None
        return self.ready_at if self.since is None else self.since + self.length - self.heard

    def pause(self, now: float, *, held: bool) -> None:
        """Be silent from now on, or go on."""
        begun = self.since is not None or self.heard > 0
        self.heard = self.heard_at(now)
        self.since = None if held or not begun else now
        self.held = held
        self.ready_at = max(self.ready_at, now)

    def said(self, seconds: float) -> str:
        """What is heard of its text in its first `seconds`."""
        spoken = SpokenTurn()
        spoken.add_audio(spoken.add(self.text), self.length * 1000)
        spoken.complete(0)
        return spoken.text_up_to(seconds * 1000)

    def context(self, now: float) -> BotContext:
        """As the gateway's Speech has it."""
        heard = self.heard_at(now)
        ahead = self.said(heard + 1)
        recent = [self.said(heard - 1), self.said(heard), *([ahead] if ahead == self.text else [])]
        return BotContext(ahead, any(one.endswith("?") for one in recent))


class Call:
    """Plays a script; `log` has what came of it, `transitions` what the machine went through."""

    def __init__(self, script: str, make_decider: MakeDecider | None = None) -> None:
        self.log: list[str] = []
        self.transitions: set[Transition] = set()
        self._script = read(script)
        language = self._script.profile.language
        self._make_decider = make_decider or (lambda policy: WordsDecider(policy, language))
        self._turns = TurnTaking(self._script.profile, self._make_decider)
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._reply: Reply | None = None
        self._early: Reply | None = None
        self._answered = 0
        self._onset = -1.0
        self._over = False
        self.now = 0.0
        self._plan()
        self._step("call begins", lambda: self._turns.begin(0.0))
        self._run()

    # --- Time

    def _at(self, when: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (round(when, 3), next(self._order), do))

    def _run(self) -> None:
        until = self._script.until
        while not self._over:
            bot = self._reply.next_at if self._reply else None
            busy = bot is not None or self._queue or self._turns.state == "paused"
            dues = [bot, self._turns.deadline, self._queue[0][0] if self._queue else None]
            due = min((one for one in dues if one is not None), default=None)
            if due is None or (not busy and until is None) or (until is not None and due > until):
                return
            self.now = max(due, self.now)
            if due == bot:
                self._bot_moves()
            elif self._queue and due == self._queue[0][0]:
                heapq.heappop(self._queue)[2]()
            else:
                self._step("time", lambda: self._turns.tick(self.now))

    def _step(self, event: str, do: Callable[[], list[turntaking.Action] | None]) -> None:
        before = self._turns.state.value
        actions = do() or []
        after = self._turns.state.value
        if not actions and before == after:
            return
        names = ", ".join(type(one).__name__ for one in actions)
        self.transitions.add(Transition(before, event, names, after))
        done = "; ".join(map(self._do, actions)) or event
        self.log.append(f"{self.now:.2f} {done}{f' > {after}' if before != after else ''}")

    # --- The caller

    def _plan(self) -> None:
        words: list[str] = []
        voices = self._script.voices
        onsets = [*(one.start for one in voices[1:]), float("inf")]
        for voice, next_onset in zip(voices, onsets, strict=False):
            silence = next_onset - voice.end
            self._plan_voice(voice, words)
            words = [*words, *voice.words]
            if voice.probably and voice.probably <= silence:
                self._at(voice.end + voice.probably, self._probable)
            if voice.ends <= silence:
                self._plan_end(voice, " ".join(words) if voice.final is None else voice.final)
                words = []
        for when, what, text in self._script.moments:
            self._at(when, partial(self._moment, what, text))

    def _plan_voice(self, voice: Voice, before: list[str]) -> None:
        length = voice.end - voice.start
        self._at(voice.start + ONSET, partial(self._start, voice.start))
        for at in range(1, int(length / PROGRESS) + 1):
            told = voice.start + max(at * PROGRESS, ONSET)
            self._at(told, partial(self._progress, at * PROGRESS * 1000))
        self._at(voice.end + HANGOVER, self._silence)
        if not voice.partials:
            return
        for at in range(1, int(length / PARTIALS - 0.001) + 1):
            share = voice.words[: int(len(voice.words) * at * PARTIALS / length)]
            if share or not voice.words:
                self._words(voice.start + at * PARTIALS, voice, " ".join([*before, *share]))
        self._words(voice.end + HANGOVER, voice, " ".join([*before, *voice.words]))

    def _plan_end(self, voice: Voice, text: str) -> None:
        over = voice.end + voice.ends
        if voice.has_final:
            self._words(over, voice, text, is_final=True)
        self._at(over + voice.late, partial(self._end, over))

    def _words(self, at: float, voice: Voice, text: str, *, is_final: bool = False) -> None:
        self._at(at + voice.late, partial(self._transcription, text, is_final, voice.sure))

    def _start(self, onset: float) -> None:
        self._onset = onset
        context = self._reply.context(self.now) if self._reply else BotContext()
        self._step("caller heard", lambda: self._turns.speech_started(self.now, context))

    def _progress(self, ms: float) -> None:
        self._step("caller heard", lambda: self._turns.speech_progress(self.now, ms))

    def _silence(self) -> None:
        self._step("caller heard", lambda: self._turns.speech_ended(self.now))

    def _transcription(self, text: str, is_final: bool, sure: float) -> None:
        turns = self._turns
        self._step("caller heard", lambda: turns.transcription(self.now, text, is_final, sure))

    def _probable(self) -> None:
        self._step("probable end", lambda: self._turns.probable_end_of_turn(self.now))

    def _end(self, over: float) -> None:
        again = self._onset >= over
        self._step("end of turn", lambda: self._turns.end_of_turn(self.now, speaks_again=again))

    def _moment(self, what: str, text: str) -> None:
        turns, reply = self._turns, self._reply
        match what:
            case "types":
                self._step("typed", lambda: turns.user_text(text))
            case "interrupts":
                self._step("interrupt", lambda: turns.interrupt(self.now))
            case "takes back":
                self._step("taken back", lambda: turns.turn_resumed(self.now))
            case "fails" if reply:
                self._bot_ends(reply)
            case "dies":
                self._restore()

    def _restore(self) -> None:
        """Another gateway goes on with the call."""
        old, reply = self._turns, self._reply
        self._turns = TurnTaking(self._script.profile, self._make_decider)
        self._turns.restore(self.now, old.turn, old.said, replying=reply is not None)
        self.log.append(f"{self.now:.2f} restored > {self._turns.state}")
        if reply:
            heard = reply.heard_at(self.now)
            self._reply = Reply(reply.turn, reply.text, self.now + 0.2, reply.length, heard)

    # --- The bot

    def _bot_moves(self) -> None:
        reply = self._reply
        assert reply is not None
        if reply.since is None:
            reply.since = self.now
            self._step("bot heard", lambda: self._turns.reply_heard(reply.turn))
        else:
            self._bot_ends(reply)

    def _bot_ends(self, reply: Reply) -> None:
        self._reply = None
        self._step("bot ended", lambda: self._turns.reply_ended(self.now, reply.turn))

    def _make(self, turn: int) -> Reply:
        answers = self._script.answers or [(0.5, 3.0, "All right.")]
        thinks, length, text = answers[min(self._answered, len(answers) - 1)]
        return Reply(turn, text, self.now + thinks, length)

    def _do(self, action: turntaking.Action) -> str:
        match action:
            case turntaking.Prepare(turn, text):
                self._early = self._make(turn)
                return f'prepare {turn} "{text}"'
            case turntaking.Drop(turn):
                self._early = None
                return f"drop {turn}"
            case turntaking.Answer(turn, text, is_interrupt, prepared):
                self._reply = (self._early if prepared else None) or self._make(turn)
                self._reply.ready_at = max(self._reply.ready_at, self.now)
                self._early = None
                self._answered += 1
                how = f"{', interrupting' * is_interrupt}{', early' * prepared}"
                return f'answer {turn} "{text}"{how}'
            case turntaking.Say(turn, message):
                self._reply = Reply(turn, message.text, self.now + 0.2, len(message.text) / 15)
                return f'say {turn} "{message.text}"'
            case turntaking.Backchannel(turn, text):
                return f'backchannel {turn} "{text}"'
            case turntaking.HangUp():
                self._over = True
                return "hang up"
        reply = self._reply
        assert reply is not None and reply.turn == action.turn
        if isinstance(action, turntaking.Interrupt):
            self._reply = None
            return f'interrupt {reply.turn} after "{reply.said(reply.heard_at(self.now))}"'
        reply.pause(self.now, held=isinstance(action, turntaking.Pause))
        return f"{'pause' if reply.held else 'resume'} {reply.turn}"

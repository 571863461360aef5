"""The turn-taking state machine: fed with events and the time, gives actions. Pure.

listening    the caller may speak; the bot is silent. A reply may be in the making already
thinking     the caller is done, the reply is being made, nothing of it was heard
speaking     the caller hears the bot
paused       there is voice over the bot, or before it began: it may be an interruption
interrupted  the caller has interrupted the bot, and is not done yet

Times are in seconds on any steady clock. docs/turn-taking.md names every transition.
"""

from collections.abc import Callable

from parley.deciders import Decider, Verdict
from parley.policies import Interruption, Message
from parley.profiles import Profile
from parley_gateway.turntaking.actions import (
    Action,
    Answer,
    Backchannel,
    Drop,
    HangUp,
    Interrupt,
    Pause,
    Prepare,
    Resume,
    Say,
)
from parley_gateway.turntaking.idle import IdleCaller
from parley_gateway.turntaking.pausing import Pausing
from parley_gateway.turntaking.states import REPLYING, State
from parley_gateway.turntaking.voice import SILENT_BOT, BotContext, CallerVoice
from parley_gateway.turntaking.words import words

GREETING_TURN = 0
UNCLEAR_MS = 1000.0
"""So much voice in a turn of which no word was understood, and the bot asks again."""


class TurnTaking:
    """One conversation's turns, numbered from 1. Turn 0 is the greeting.

    `make_decider` gives who decides under a policy: the profile's, or a message's own.
    """

    def __init__(self, profile: Profile, make_decider: Callable[[Interruption], Decider]) -> None:
        self.state = State.LISTENING
        self.turn = GREETING_TURN
        self._profile = profile
        self._make_decider = make_decider
        self._use(profile.interruption)
        self._voice = CallerVoice()
        self._idle = IdleCaller(profile.idle)
        self._prepared: str | None = None
        self._unanswered = False
        self._asked_again = False
        self._pausing = Pausing()

    # --- How it begins

    def begin(self, now: float) -> list[Action]:
        """The call begins: with the greeting, if there is one."""
        if not self._profile.greeting:
            self._listen(now)
            return []
        return [self._say(self._profile.greeting, GREETING_TURN)]

    def restore(self, now: float, turn: int, said: list[str], *, replying: bool) -> None:
        """Go on where another gateway had to stop; `replying`: the turn's reply is not over."""
        self.turn = turn
        self._voice.said = list(said)
        self._voice.over_bot = replying
        self._unanswered = replying
        if replying:
            self.state = State.THINKING
            if turn == GREETING_TURN:
                self._use(self._profile.interruption.but(self._profile.greeting.interruption))
        else:
            self._listen(now)

    @property
    def said(self) -> list[str]:
        """Final transcriptions of the turn that is not over yet."""
        return list(self._voice.said)

    @property
    def quiet(self) -> bool:
        """Whether nobody speaks or is about to."""
        return self.state is State.LISTENING and not self._voice.text and not self._voice.is_voiced

    @property
    def hears_more(self) -> bool:
        """Whether the caller speaks on in a turn of theirs, to which no reply is made yet."""
        free = self.state in (State.LISTENING, State.INTERRUPTED)
        return free and self._voice.is_voiced and self._prepared is None

    # --- The clock

    @property
    def deadline(self) -> float | None:
        """When `tick` is due, if nothing else happens before."""
        if self.state is State.PAUSED:
            return self._pausing.deadline(self._voice)
        if self.state is State.SPEAKING:
            return self._pausing.hesitates_until
        return self._idle.deadline if self.quiet else None

    def tick(self, now: float) -> list[Action]:
        """Time has passed."""
        if self.deadline is None or now < self.deadline:
            return []
        if self.state is State.PAUSED:
            return self._pause_is_over(now)
        if self.state is State.SPEAKING:
            self._pausing.hesitates_until = None
            return self._weigh(now)
        return self._ask_idle()

    def active(self, now: float) -> None:
        """Begin anew to wait for the caller, who could not be heard, or has just done something."""
        if self._idle.deadline is not None:
            self._idle.silent(now)

    # --- The caller's voice

    def speech_started(self, now: float, bot: BotContext = SILENT_BOT) -> list[Action]:
        """The caller's voice sets in, `bot` being what it set in over."""
        self._voice.started(bot, over_bot=self.state in REPLYING)
        if self.state is State.SPEAKING:
            self._pausing.voice_sets_in(now)
        self._idle.busy()
        return [*self._drop(), *self._weigh(now)]

    def speech_progress(self, now: float, voiced_ms: float) -> list[Action]:
        """The caller has spoken for so long without a pause."""
        self._voice.progressed(voiced_ms)
        return self._weigh(now)

    def speech_ended(self, now: float, position_ms: float | None = None) -> list[Action]:
        """The caller's voice stopped at that position, perhaps only to take a breath."""
        self._voice.ended(now, position_ms)
        if self.state is State.LISTENING:
            self._idle.silent(now)
        return self._weigh(now)

    def transcription(
        self,
        now: float,
        text: str,
        is_final: bool,
        confidence: float = 1.0,
        covered_ms: float | None = None,
    ) -> list[Action]:
        """What the caller said up to `covered_ms` was recognised; `text` may be empty."""
        self._voice.transcribed(text, is_final, confidence, covered_ms)
        changed = self._prepared is not None and not _same(self._prepared, self._voice.text)
        return [*(self._drop() if changed else []), *self._weigh(now)]

    def probable_end_of_turn(self, now: float) -> list[Action]:
        """The caller is probably done, and all their words are there."""
        text = self._voice.text
        free = self.state in (State.LISTENING, State.INTERRUPTED)
        if not (self._profile.early_reply and free and text) or self._prepared is not None:
            return []
        if self._voice.over_bot and self._verdict() is Verdict.RESUME:
            return []
        self._prepared = text
        return [Prepare(self.turn + 1, text, self.state is State.INTERRUPTED)]

    def turn_resumed(self, now: float) -> list[Action]:
        """The caller was not done after all."""
        return self._drop()

    def end_of_turn(self, now: float, *, speaks_again: bool = False) -> list[Action]:
        """The caller is done; `speaks_again`: the voice that sounds now has set in since."""
        self._voice.finished(speaks_again=speaks_again)
        if self._protected:
            self._keep_or_drop_words()
            if not self._voice.text:
                self._voice.clear()
            self._voice.is_over = True
            return []
        text = self._voice.text
        if not text:
            return self._nothing_said(now)
        if self._leaves_the_bot_its_turn():
            return self._no_turn(now)
        interrupted = self.state is State.INTERRUPTED
        actions = self._stop()
        return [*actions, self._answer(text, bool(actions) or interrupted)]

    # --- The caller's hands

    def user_text(self, text: str) -> list[Action]:
        """The caller has typed a turn; it interrupts, and what was being said belongs to it."""
        interrupted = self.state is State.INTERRUPTED
        stop = self._stop()
        # What sounds now will be recognised as a whole: it becomes a turn of its own.
        said = " ".join(self._voice.said) if self._voice.is_voiced else self._voice.text
        self._voice.drop()
        actions = [*self._drop(), *stop]
        return [*actions, self._answer(f"{said} {text}".strip(), bool(stop) or interrupted)]

    def interrupt(self, now: float) -> list[Action]:
        """The caller's side asks for silence. It always gets it."""
        actions = self._stop()
        if not actions:
            return self._drop()
        self._idle.answered()
        self._listen(now)
        return [*actions, *self._answer_kept(now)]

    # --- The bot

    def reply_heard(self, turn: int) -> None:
        """The first audio of this turn's reply goes out."""
        if turn == self.turn and self.state is State.THINKING:
            self.state = State.SPEAKING
            self._unanswered = False

    def reply_ended(self, now: float, turn: int) -> list[Action]:
        """The reply was heard to its end, or failed. Answers what was said while protected."""
        if turn != self.turn or self.state not in REPLYING:
            return []
        if self._protected:
            self._keep_or_drop_words()
        self._listen(now)
        if self._voice.is_voiced or self._voice.text:
            return self._answer_kept(now)
        return self._leave() if not self._voice.over_bot else []

    # --- Decisions

    @property
    def _protected(self) -> bool:
        return not self._policy.enabled and self.state in (State.THINKING, State.SPEAKING)

    def _use(self, policy: Interruption) -> None:
        self._policy = policy
        self._decider = self._make_decider(policy)

    def _verdict(self) -> Verdict:
        return self._decider.decide(self._voice.evidence(thinking=self._before_first_sound))

    def _leaves_the_bot_its_turn(self) -> bool:
        """Whether the words, now that there are no more, are a nod, an echo, or too few."""
        if not self._voice.over_bot or self.state is State.INTERRUPTED:
            return False
        verdict = self._verdict()
        speaks = self.state in REPLYING and not self._before_first_sound
        return verdict is Verdict.RESUME or (verdict is Verdict.WAIT and speaks)

    @property
    def _before_first_sound(self) -> bool:
        state = self._pausing.state_before if self.state is State.PAUSED else self.state
        return state is State.THINKING

    def _weigh(self, now: float) -> list[Action]:
        """Is what is heard of the caller an interruption?"""
        if self.state not in REPLYING or self._protected:
            return []
        policy = self._policy
        thinking = self._before_first_sound
        enough_ms = policy.min_speech_ms_thinking if thinking else policy.min_speech_ms
        if self._voice.voiced_ms < enough_ms:
            return []
        match self._verdict():
            case Verdict.INTERRUPT:
                actions = self._stop()
                self.state = State.INTERRUPTED
                return actions
            case Verdict.RESUME:
                return self._resume()
            case Verdict.WAIT if self._voice.is_voiced and policy.pause:
                return self._pause(now)
        return []

    def _pause(self, now: float) -> list[Action]:
        if self.state is State.PAUSED or not self._pausing.begin(now, self.state, self._voice):
            return []
        self.state = State.PAUSED
        return [Pause(self.turn)]

    def _resume(self) -> list[Action]:
        if self.state is not State.PAUSED:
            return []
        self.state = self._pausing.state_before
        return [Resume(self.turn)]

    def _pause_is_over(self, now: float) -> list[Action]:
        if self._voice.is_voiced and not self._voice.without_words:
            self._pausing.go_on(now)  # Words may be on their way: a caller who speaks is heard out.
            return []
        return self._resume()

    def _no_turn(self, now: float) -> list[Action]:
        """The caller's words were a nod, or an echo."""
        actions = [*self._drop(), *self._resume(), Backchannel(self.turn, self._voice.text)]
        self._voice.clear()
        if self.state is not State.LISTENING:
            return actions
        self._idle.silent(now)
        return [*actions, *self._leave()]

    def _answer_kept(self, now: float) -> list[Action]:
        """Answer what was said over a protected reply, unless the caller still speaks."""
        return self.end_of_turn(now) if self._voice.is_over and not self._voice.is_voiced else []

    def _keep_or_drop_words(self) -> None:
        if self._policy.while_protected == "drop":
            self._voice.drop()

    def _nothing_said(self, now: float) -> list[Action]:
        """Voice without words: noise, a cough, or speech that nobody understood."""
        actions = self._resume()
        interrupted = self.state is State.INTERRUPTED
        unclear = self._voice.turn_ms >= UNCLEAR_MS or interrupted
        last_words = self._voice.last_words
        self._voice.clear()
        if interrupted and self._unanswered:
            return [self._answer("")]
        if self.state in (State.LISTENING, State.INTERRUPTED):
            self._listen(now)
            if unclear and not self._asked_again and self._profile.repeat_request:
                self._asked_again = True
                self._idle.answered()
                return [self._say(self._profile.repeat_request, self.turn + 1)]
            if unclear and last_words:
                return [self._answer(last_words, interrupted)]
            return self._leave()
        return actions

    def _ask_idle(self) -> list[Action]:
        message = self._idle.next()
        if not message:
            return self._leave() or self._ask_idle()
        return [self._say(message, self.turn + 1)]

    def _leave(self) -> list[Action]:
        """End the call, if its goodbye has been said."""
        if not self._idle.leaving:
            return []
        self._idle.busy()
        return [HangUp()]

    # --- What is done

    def _listen(self, now: float) -> None:
        self.state = State.LISTENING
        self._unanswered = False
        self._use(self._profile.interruption)
        self._idle.silent(now)

    def _stop(self) -> list[Action]:
        if self.state not in REPLYING:
            return []
        return [Interrupt(self.turn)]

    def _drop(self) -> list[Action]:
        if self._prepared is None:
            return []
        self._prepared = None
        return [Drop(self.turn + 1)]

    def _answer(self, text: str, is_interrupt: bool = False) -> Action:
        prepared = self._prepared is not None
        self._prepared = None
        self._voice.clear()
        if text:
            self._asked_again = False
            self._idle.answered()
        self._floor(self.turn + 1, self._profile.interruption)
        self._unanswered = True
        return Answer(self.turn, text, is_interrupt, prepared)

    def _say(self, message: Message, turn: int) -> Action:
        self._floor(turn, self._profile.interruption.but(message.interruption))
        self._unanswered = False
        return Say(turn, message)

    def _floor(self, turn: int, policy: Interruption) -> None:
        """The bot has the floor."""
        self.turn = turn
        self.state = State.THINKING
        self._pausing.reply_begins()
        self._use(policy)
        self._idle.busy()


def _same(one: str, other: str) -> bool:
    """Whether two transcriptions differ in nothing that a reply would heed."""
    return words(one) == words(other)

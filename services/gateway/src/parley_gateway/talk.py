"""What is heard of the caller becomes turns, and turns become what the bot does."""

import asyncio
from collections.abc import Callable

from parley import subjects
from parley.bus import Bus
from parley.interrupts import Fence
from parley.messages import (
    EagerEndOfTurn,
    EndOfTurn,
    Interrupt,
    JobMessage,
    SpeechEnded,
    SpeechProgress,
    SpeechStarted,
    Transcription,
    TurnResumed,
)
from parley.subjects import Stage
from parley_gateway import metrics, turntaking
from parley_gateway.answering import rest_of
from parley_gateway.arrivals import Arrivals
from parley_gateway.bot import Bot, BotEvents, Means
from parley_gateway.protocol import event
from parley_gateway.reading_ahead import ReadingAhead
from parley_gateway.resume import Resumed
from parley_gateway.timeline import Timeline
from parley_gateway.turntaking import GREETING_TURN, State, TurnTaking
from parley_gateway.turntaking.deciding import decider_for


class Talk:
    """One call's turns. `changed` is told when what has to outlive this gateway has changed,
    `hang_up`, with the reason, when the call shall end. Its tasks live in `tasks`, which ends with
    the call.
    """

    def __init__(
        self,
        means: Means,
        bus: Bus,
        arrivals: Arrivals,
        tasks: asyncio.TaskGroup,
        *,
        changed: Callable[[], None],
        hang_up: Callable[[str], None],
    ) -> None:
        self.fence = Fence()
        self.turns = TurnTaking(means.profile, decider_for(means.profile))
        events = BotEvents(
            self._on_reply_heard,
            self._on_reply_ended,
            self._cancel_work,
            lambda: hang_up("bot_hang_up"),
            changed,
        )
        self.bot = Bot(means, events, tasks)
        self._ahead = ReadingAhead(
            means.channels[Stage.AGENT], means.profile, means.transcript, tasks
        )
        self._means = means
        self._client = means.client
        self._bus = bus
        self._arrivals = arrivals
        self._tasks = tasks
        self._changed = changed
        self._hang_up = hang_up
        self._timeline = self._begin_timeline(GREETING_TURN)
        self._onset: float | None = None
        self._onset_ms = -1.0
        self._timer: asyncio.TimerHandle | None = None
        self._clock = asyncio.get_running_loop().time

    # --- How it begins and ends

    def begin(self) -> None:
        """The call begins."""
        self._act(self.turns.begin(self._clock()))
        self._changed()

    def restore(self, resumed: Resumed) -> None:
        """Before `go_on`: where another gateway had to stop."""
        state = resumed.state
        replying = state.reply is not None
        self.turns.restore(self._clock(), state.turn, state.said, replying=replying)

    def go_on(self, resumed: Resumed) -> None:
        """Go on there; the bot, from what had been heard."""
        reply = resumed.state.reply
        if reply is None:
            self.fence.move(resumed.state.turn)
        else:
            turn, heard_ms = resumed.heard or (-1, 0.0)
            rest = rest_of(reply, heard_ms if turn == reply.turn else 0.0)
            self._floor(reply.turn)
            self.bot.go_on(reply.turn, rest, self._begin_timeline(reply.turn))
        self._act([])
        self._changed()

    def close(self) -> None:
        """Do nothing any more."""
        self._stop_timer()
        self._ahead.stop()
        self.bot.cancel()
        self._means.traces.close()

    # --- From the caller

    def user_text(self, text: str) -> None:
        """The caller has typed a turn."""
        self._onset = None
        self._timeline = self._begin_timeline(self.turns.turn + 1)
        self._timeline.mark("end_of_turn", self._clock())
        self._act(self.turns.user_text(text))

    def interrupt(self) -> None:
        """The caller's side asks for silence."""
        self._act(self.turns.interrupt(self._clock()))

    def heard(self, message: JobMessage) -> None:
        """What a transcriber tells."""
        now, turns = self._clock(), self.turns
        match message:
            case SpeechStarted():
                self._onset_ms = message.position_ms
                self._onset = self._arrivals.time_of(message.position_ms)
                self._client.send_event(event("speech_started"))
                self._act(turns.speech_started(now, self.bot.context))
            case SpeechProgress():
                self._ahead.voiced(message.position_ms)
                self._act(turns.speech_progress(now, message.speech_ms))
            case SpeechEnded():
                self._timeline = self._begin_timeline(turns.turn + 1)
                ended = self._arrivals.time_of(message.position_ms)
                self._timeline.mark("speech_end", now if ended is None else ended)
                self._act(turns.speech_ended(now, message.position_ms))
            case Transcription():
                self._on_transcription(message)
            case EagerEndOfTurn():
                self._act(turns.probable_end_of_turn(now))
            case TurnResumed():
                self._act(turns.turn_resumed(now))
            case EndOfTurn():
                self._timeline.mark("end_of_turn", now)
                # The final of what was said before may take longer than a breath.
                speaks_again = message.position_ms <= self._onset_ms
                self._act(turns.end_of_turn(now, speaks_again=speaks_again))

    def hearing_lost(self) -> None:
        """A transcriber was lost, and another is sought."""
        self._means.traces.turn(self.turns.turn + 1).hearing_lost(self._clock())

    def _on_transcription(self, message: Transcription) -> None:
        now, text, is_final = self._clock(), message.message, message.is_final
        if is_final:
            self._timeline.mark("final_transcription", now)
            self._timeline.recognition_ms = message.took_ms
        covered_ms = message.position_ms
        self._act(self.turns.transcription(now, text, is_final, message.confidence, covered_ms))
        if text:
            self._client.send_event(
                event(
                    "transcription",
                    message=text,
                    is_final=is_final,
                    confidence=round(message.confidence, 3),
                    is_interrupt=self.turns.state is State.INTERRUPTED,
                    turn=self.turns.turn + 1,
                )
            )
        if is_final:
            self._changed()
        elif text and self.turns.hears_more:
            said = " ".join([*self.turns.said, text])
            self._ahead.heard(self.turns.turn + 1, said, covered_ms)

    # --- From the bot

    def _on_reply_heard(self, turn: int) -> None:
        self.turns.reply_heard(turn)

    def _on_reply_ended(self, turn: int) -> None:
        self._act(self.turns.reply_ended(self._clock(), turn))

    # --- Time

    def _set_timer(self) -> None:
        self._stop_timer()
        if (deadline := self.turns.deadline) is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._tick)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        now = self._clock()
        if not self._bus.connected:
            self.turns.active(now)  # Nobody can hear the caller now.
        self._act(self.turns.tick(now))

    # --- What is done

    def _act(self, actions: list[turntaking.Action]) -> None:
        for action in actions:
            self._do(action)
        self._set_timer()

    def _do(self, action: turntaking.Action) -> None:
        match action:
            case turntaking.Prepare(turn, text, is_interrupt):
                self._floor(turn)
                self.bot.prepare(turn, text, self._timeline, is_interrupt=is_interrupt)
            case turntaking.Drop():
                self.bot.drop()
            case turntaking.Answer():
                self._answer(action)
            case turntaking.Say(turn, message):
                self._floor(turn)
                self.bot.say(turn, message.text, self._begin_timeline(turn))
            case turntaking.Pause():
                self.bot.pause()
            case turntaking.Resume():
                self.bot.resume()
            case turntaking.Interrupt(turn):
                self._interrupt(turn)
            case turntaking.Backchannel(turn, text):
                metrics.BACKCHANNELS.inc()
                self._client.send_event(event("backchannel", turn=turn, message=text))
            case turntaking.HangUp():
                self._hang_up("idle")

    def _floor(self, turn: int) -> None:
        """The bot has the floor: whatever it did before is over."""
        self.fence.move(turn - 1)

    def _begin_timeline(self, turn: int) -> Timeline:
        return Timeline(turn, self._means.traces.turn(turn))

    def _answer(self, answer: turntaking.Answer) -> None:
        means, turn = self._means, answer.turn
        if answer.text:
            means.transcript.add_human_message(turn, answer.text)
            means.chronicle.said(means.transcript.entries[-1])
        self._timeline.turn = turn
        if not (answer.prepared and self.bot.use_prepared(self._timeline)):
            self._floor(turn)
            self.bot.answer(turn, self._timeline, is_interrupt=answer.is_interrupt)
        self._changed()

    def _interrupt(self, turn: int) -> None:
        """Silence first, in this tick; then the books; then the workers are told."""
        self.fence.move(turn)
        onset = None if self.turns.state is State.LISTENING else self._onset
        silent_since = self.bot.stop(onset)
        if silent_since is None:
            return
        if onset is not None:
            metrics.INTERRUPT.observe(max(silent_since - onset, 0))
        self._cancel_work(turn)

    def _cancel_work(self, turn: int) -> None:
        """Broadcast the interrupt: whoever holds work of that turn or an older one cancels it."""
        message = Interrupt(turn=turn)
        subject = subjects.control(self._means.chronicle.conversation_id)
        self._tasks.create_task(self._bus.publish(subject, message))

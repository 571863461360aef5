"""The stt stage's job: one conversation's hearing, for as long as the call lasts.

    frames -> windows at 16 kHz -> voice activity -> endpointing -> speech events
                                        |                |    ^
                                        |                |    +-- how much silence ends the turn
                                        |                |    |
                                        +-- audio, cues -+-> transcriber -> transcriptions

Every arrow is a bounded queue or a plain call. A full queue makes what is before it wait,
back to the job's inbox, which drops its oldest audio and counts that.

A worker that takes over a call gets seconds of audio at once. While voice activity is behind, the
transcriber waits too, and then gets all of it in one go: so it knows of every pause whether
speech went on, and recognises nothing that the next moment makes useless.
"""

import asyncio
from collections.abc import AsyncIterator

from parley import providers
from parley.audio import SAMPLE_RATES
from parley.frames import AudioFrame
from parley.job import Job
from parley.messages import (
    EagerEndOfTurn,
    HearingSpec,
    JobRequest,
    Mute,
    Retry,
    SpeechEnded,
    SpeechProgress,
)
from parley.providers import (
    Cue,
    Heard,
    ProviderError,
    Transcriber,
    TurnEnded,
    TurnProbablyEnded,
    TurnResumed,
)
from parley.subjects import Stage
from parley.worker import JobRun
from parley_stt.endpointing import (
    WINDOW_MS,
    Endpointer,
    Event,
    GoesOn,
    Hush,
    Onset,
    Pause,
    TurnOver,
    Voice,
)
from parley_stt.feed import Feed
from parley_stt.reporter import Reporter
from parley_stt.tasks import task_group
from parley_stt.timeline import Timeline, Window
from parley_stt.turn_end import TurnEnd
from parley_stt.voice_activity import VoiceActivity

WINDOWS = 64
"""Windows that may wait for voice activity: 2 s. It takes all that wait at once."""
BEHIND_WINDOWS = 32
"""So many wait only where audio comes faster than in real time."""
BACKSTOP_MS = 2_000.0
"""So much longer than any silence of a turn is silence that a transcriber, which should have ended
the turn itself, must not let pass."""


class HearingHandler:
    """Opens hearings; all of a process share one voice activity model."""

    def __init__(self, voice_activity: VoiceActivity) -> None:
        self._voice_activity = voice_activity

    def open(self, request: JobRequest) -> JobRun:
        """What runs this hearing. Raises ProviderError where it cannot be run here."""
        spec = HearingSpec.model_validate(request.spec)
        if spec.sample_rate not in SAMPLE_RATES:
            raise ProviderError(f"audio at {spec.sample_rate} Hz is not heard", Retry.NEVER)
        provider = providers.load(Stage.STT, spec.provider)
        if not issubclass(provider, Transcriber):
            raise ProviderError(f"{spec.provider} is not a transcriber", Retry.NEVER)
        settings = providers.settings_for(provider, spec.settings)
        transcriber = provider(settings, spec.language)
        return Hearing(spec, transcriber, self._voice_activity).run


class Hearing:
    """One conversation's hearing by one transcriber."""

    def __init__(
        self, spec: HearingSpec, transcriber: Transcriber, voice_activity: VoiceActivity
    ) -> None:
        self._transcriber = transcriber
        self._voice_activity = voice_activity
        self._timeline = Timeline(spec.sample_rate)
        self._endpointing_ms = spec.endpointing_ms
        self._provider = spec.provider
        self._turn_end = TurnEnd(spec, transcriber.capabilities)
        self._endpointer = self._make_endpointer(spec.turn_open)
        self._taken_over = spec.turn_open
        self._windows: asyncio.Queue[Window] = asyncio.Queue(WINDOWS)
        self._feed = Feed(transcriber)

    def _make_endpointer(self, turn_open: bool) -> Endpointer:
        if not self._transcriber.capabilities.detects_end_of_turn:
            return Endpointer(self._turn_end.usual_ms, turn_open)
        endpointer = Endpointer(self._turn_end.longest_ms + BACKSTOP_MS, turn_open)
        # Of a turn that it takes over, the transcriber knows nothing until there is voice.
        endpointer.wait(self._turn_end.usual_ms)
        return endpointer

    async def run(self, job: Job) -> None:
        """Hear until the job is cancelled. Raises ProviderError where hearing is lost."""
        reporter = Reporter(job, self._transcriber, self._endpointing_ms, self._provider)
        async with task_group() as tasks:
            tasks.create_task(self._receive(job))
            tasks.create_task(self._listen(reporter, tasks))
            tasks.create_task(self._transcribe(reporter))
            tasks.create_task(reporter.run())

    async def _receive(self, job: Job) -> None:
        while True:
            match await job.receive():
                case AudioFrame(position=position, pcm=pcm):
                    for window in self._timeline.push(position, pcm):
                        heard = self._transcriber.send_audio(window.pcm)
                        await self._windows.put(Window(window.position_ms, heard))
                case Mute(muted=True):
                    self._transcriber.mute()
                case Mute():
                    self._transcriber.unmute()

    async def _listen(self, reporter: Reporter, tasks: asyncio.TaskGroup) -> None:
        with self._voice_activity.listener() as listener:
            while True:
                windows = [await self._windows.get()]
                while not self._windows.empty():
                    windows.append(self._windows.get_nowait())
                probabilities = await listener.probabilities([window.pcm for window in windows])
                for window, probability in zip(windows, probabilities, strict=True):
                    await self._feed.put(window)
                    reporter.position_ms = window.position_ms + WINDOW_MS
                    for event in self._endpointer.push(probability, window.position_ms):
                        await self._act(event, reporter, tasks)
                    self._expect_end(reporter)
                self._pace(reporter)

    async def _act(self, event: Event, reporter: Reporter, tasks: asyncio.TaskGroup) -> None:
        match event:
            case Onset(position_ms=position_ms):
                self._taken_over = False
                self._turn_end.speak()
                reporter.tell_start(position_ms)
                await self._feed.put(Cue.SPEECH_STARTED)
            case GoesOn():
                self._turn_end.speak()
                await self._feed.put(Cue.SPEECH_STARTED)
            case Voice(speech_ms=speech_ms):
                reporter.tell(
                    SpeechProgress,
                    speech_ms=speech_ms,
                    position_ms=reporter.position_ms,
                )
            case Pause(position_ms=position_ms):
                reporter.tell(SpeechEnded, position_ms=position_ms)
                self._turn_end.hush(position_ms)
                self._judge(reporter)
            case Hush(position_ms=position_ms):
                self._turn_end.hush(position_ms)
                await self._feed.put(Cue.PAUSE)
            case TurnOver(position_ms=position_ms):
                self._end_turn(position_ms, reporter, tasks)
                await self._feed.put(Cue.FINALIZE)

    def _end_turn(self, position_ms: float, reporter: Reporter, tasks: asyncio.TaskGroup) -> None:
        if self._taken_over and self._transcriber.capabilities.detects_end_of_turn:
            # Its words went to another transcriber: this one cannot know that there is a turn.
            reporter.tell_end(position_ms)
        else:
            reporter.end_turn(position_ms, tasks)
        self._taken_over = False
        self._turn_end.begin()

    def _judge(self, reporter: Reporter) -> None:
        if not self._transcriber.capabilities.detects_end_of_turn:
            # What is far behind knows soon whether speech went on, and need not guess.
            behind = self._feed.is_held
            turn_end = self._turn_end
            self._endpointer.wait(turn_end.longest_ms if behind else turn_end.silence_ms)
        self._expect_end(reporter)

    def _expect_end(self, reporter: Reporter) -> None:
        if self._endpointer.is_nearly_over and self._turn_end.becomes_likely():
            reporter.tell(EagerEndOfTurn, position_ms=reporter.position_ms)

    # --- To the transcriber

    def _pace(self, reporter: Reporter) -> None:
        if self._windows.qsize() >= BEHIND_WINDOWS:
            self._feed.hold()
        elif self._windows.empty():
            self._feed.release()
        if self._feed.is_held:
            reporter.held_back()

    async def _transcribe(self, reporter: Reporter) -> None:
        def emit(result: Heard | TurnProbablyEnded | TurnResumed | TurnEnded) -> None:
            self._hear(result, reporter)

        await self._transcriber.transcribe(self._audio(reporter), emit)
        raise ProviderError("the transcriber stopped listening")

    def _hear(
        self, result: Heard | TurnProbablyEnded | TurnResumed | TurnEnded, reporter: Reporter
    ) -> None:
        of_this_turn = not reporter.is_closing
        reporter.heard(result)
        if not of_this_turn:
            return
        match result:
            case Heard():
                self._turn_end.hear(result, reporter.covered_ms(result))
            case TurnProbablyEnded() | TurnResumed():
                self._turn_end.expect(isinstance(result, TurnProbablyEnded))
            case TurnEnded():
                self._turn_end.begin()
                self._endpointer.end_turn()
        self._judge(reporter)

    async def _audio(self, reporter: Reporter) -> AsyncIterator[bytes | Cue]:
        while True:
            item = await self._feed.take()
            reporter.gave(item)
            yield item.pcm if isinstance(item, Window) else item

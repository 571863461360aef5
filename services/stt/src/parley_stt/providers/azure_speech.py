"""Azure Speech hears, through its native SDK.

FINALIZE is the SDK's `commit`: Azure makes final what it has, and the recognition goes on. The
SDK calls that advisory, so where no answer comes, the stream is closed, which makes Azure flush
all that it has, and a new recognition goes on from there. So it is, too, where the connection
broke: while the SDK sends audio again, it may send a commit too soon. An address that has left a
commit without an answer, and then flushed well, is asked for none for a while.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from pydantic import Field

from parley import statuses
from parley.azure import WHO, AzureSettings
from parley.providers import (
    Cue,
    Emit,
    Heard,
    ProviderError,
    ProviderSettings,
    Transcriber,
    TranscriberCapabilities,
)
from parley_stt.clouds.azure_session import Broken, Ended, Event, Session, Words, config_of, session
from parley_stt.clouds.replay import OverdueError, Reconnects, Replay
from parley_stt.tasks import task_group

COMMIT_SECONDS = 0.7
"""So long Azure may give nothing after a commit; then the stream is closed."""
LONGEST_COMMIT_SECONDS = 1.4
"""A commit is not waited for any longer, whatever else comes."""
FLUSH_SECONDS = 0.9
"""So long it may give nothing after the stream was closed; then it is given up."""
NO_COMMITS_SECONDS = 600.0
"""So long an address that does not answer commits is asked for none."""


class AzureSpeechSettings(AzureSettings):
    """What an agent profile can set."""

    segmentation_silence_ms: int | None = Field(default=None, ge=100, le=5000)
    """So much silence ends a phrase, if the end of the caller's turn has not. Default: Azure's."""


class AzureTranscriber(Transcriber):
    """Hears one call."""

    Settings = AzureSpeechSettings
    settings: AzureSpeechSettings
    # Its finals are punctuated, but its partials are not, and it is by these that turns end.
    capabilities = TranscriberCapabilities(punctuates=False)

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        self._key = self.settings.key(WHO)

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        """Hear `audio` to its end and emit what was said."""
        config = config_of(self.settings, self._key)
        if (silence_ms := self.settings.segmentation_silence_ms) is not None:
            config.set_property_by_name("SPEECH-SegmentationSilenceTimeoutMs", str(silence_ms))
        hearing = _Hearing(str(self.settings.address()), emit)
        async with self.settings.account(WHO).stream(), task_group() as tasks:
            tasks.create_task(hearing.take_in(audio))
            while not hearing.is_over:
                try:
                    async with session(config, self.language, hearing.hear) as recognition:
                        await hearing.follow(recognition)
                except ProviderError as error:
                    await asyncio.sleep(hearing.wait_seconds(error))


_no_commits_until: dict[str, float] = {}


def forget_commits() -> None:
    """Ask all addresses for commits again."""
    _no_commits_until.clear()


class _Hearing:
    """What is known of a call, from one recognition to the next."""

    def __init__(self, address: str, emit: Emit) -> None:
        self.is_over = False
        """Whether all audio was heard."""
        self._address = address
        self._emit = emit
        self._now = asyncio.get_running_loop().time
        self._replay = Replay()
        self._reconnects = Reconnects()
        self._has_all_audio = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._forget()

    def _forget(self) -> None:
        """What only the last recognition knew."""
        self._commits: deque[int] = deque()
        self._is_broken = False
        self._partial = ""
        self._ended: Ended | None = None
        self._asked = self._sign = 0.0

    async def take_in(self, audio: AsyncIterator[bytes | Cue]) -> None:
        """Keep what is to be heard, not too much of it at once."""
        async for item in audio:
            self._replay.append(item)
            self._news.set()
            while self._replay.is_full:
                self._room.clear()
                await self._room.wait()
        self._has_all_audio = True
        self._news.set()

    def wait_seconds(self, error: ProviderError) -> float:
        """How long to wait before the next recognition. Raises `error` where none is worth it."""
        return self._reconnects.wait_seconds(error, self._now())

    async def follow(self, recognition: Session) -> None:
        """Have this recognition hear what is not final yet, until it ends. Raises ProviderError."""
        self._forget()
        self._replay.rewind()
        while self._ended is None:
            self._send(recognition)
            await self._await_news(recognition)
        if self._ended.error is not None:
            raise self._ended.error
        if not recognition.is_closed:
            raise statuses.broken_off(WHO)
        if self._commits:
            _no_commits_until[self._address] = self._now() + NO_COMMITS_SECONDS
        self._flushed()

    # --- To Azure

    def _send(self, recognition: Session) -> None:
        if self._is_broken and self._replay.owes and not recognition.is_closed:
            self._close(recognition)
        while not recognition.is_closed:
            match self._replay.take():
                case bytes() as pcm:
                    recognition.write(pcm)
                case Cue.FINALIZE:
                    self._ask(recognition)
                case _:
                    if self._has_all_audio:
                        self._close(recognition)
                    break
        self._room.set()

    def _ask(self, recognition: Session) -> None:
        self._asked = self._sign = self._now()
        answers_commits = _no_commits_until.get(self._address, 0.0) <= self._asked
        if answers_commits and not self._is_broken and (commit := recognition.commit()):
            self._commits.append(commit)
        else:
            self._close(recognition)

    def _close(self, recognition: Session) -> None:
        recognition.close()
        self._sign = self._now()

    async def _await_news(self, recognition: Session) -> None:
        deadline = None
        if recognition.is_closed:
            deadline = self._sign + FLUSH_SECONDS
        elif self._commits:
            deadline = min(self._sign + COMMIT_SECONDS, self._asked + LONGEST_COMMIT_SECONDS)
        try:
            async with asyncio.timeout_at(deadline):
                await self._news.wait()
        except TimeoutError:
            self._overdue(recognition)
        self._news.clear()

    def _overdue(self, recognition: Session) -> None:
        if not recognition.is_closed:
            self._close(recognition)
        elif self._partial:
            self._flushed()
            raise statuses.late(WHO)
        elif self._replay.owes:
            raise OverdueError(str(statuses.late(WHO)))
        else:
            self._ended = Ended()

    # --- From Azure

    def hear(self, event: Event) -> None:
        """Take what the recognition tells."""
        self._sign = self._now()
        self._news.set()
        match event:
            case Ended():
                self._ended = event
            case Broken():
                self._is_broken = True
                self._commits.clear()
            case Words(is_final=True):
                self._reconnects.worked()  # a partial is no progress: the SDK has tried again, too
                self._hear_final(event)
            case Words(text=text, end_ms=end_ms):
                self._partial = text
                self._emit(Heard(text, False, end_ms=self._replay.position_ms(end_ms)))

    def _hear_final(self, words: Words) -> None:
        answered = sum(commit <= words.commit for commit in self._commits)
        for _ in range(answered - 1):  # the answer to a commit answers those before it
            self._answer("")
        if answered:
            self._commits = deque(c for c in self._commits if c > words.commit)
            self._answer(words.text, words.confidence)
        else:
            self._settle(words)

    def _settle(self, words: Words) -> None:
        end_ms = self._replay.position_ms(words.end_ms)
        if (asked_ms := self._replay.asked_ms) is not None:
            end_ms = min(end_ms, asked_ms - 1)  # it is not the answer to FINALIZE
        self._replay.settle(end_ms)
        if words.text or self._partial:  # nothing, after all, is a partial: no turn has ended
            is_final = bool(words.text)
            self._emit(Heard(words.text, is_final, words.confidence, end_ms=end_ms))
        self._partial = ""

    def _answer(self, text: str, confidence: float = 1.0) -> None:
        self._partial = ""
        self._replay.answer()
        self._emit(Heard(text, True, confidence))

    def _flushed(self) -> None:
        """The recognition has given all it had: what it owes is answered by that."""
        while self._replay.owes:
            self._answer(self._partial)
        self.is_over = self._has_all_audio and self._replay.take() is None

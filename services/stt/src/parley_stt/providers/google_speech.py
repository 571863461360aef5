"""Google Cloud's streaming Speech-to-Text, v2.

A stream lasts five minutes at most and cannot be told to finish an utterance: it makes its last
words final only when no more audio is to come. So a call is heard over many streams, one after
another: FINALIZE ends one, and so do silence on the line and Google's limit.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Any, Literal

from google.cloud.speech_v2 import SpeechAsyncClient
from google.cloud.speech_v2.services.speech.transports import SpeechGrpcAsyncIOTransport
from google.cloud.speech_v2.types import cloud_speech as v2
from pydantic import Field

from parley import statuses
from parley.audio import HEARING_RATE, bytes_for, duration_ms
from parley.google_cloud import FAILURES, GoogleSettings, access, error_from, machine_access
from parley.messages import Retry
from parley.providers import (
    Cue,
    Emit,
    ProviderError,
    ProviderSettings,
    Transcriber,
    TranscriberCapabilities,
)
from parley_stt.clouds.connections import Connections
from parley_stt.clouds.google_wire import LARGEST_BYTES, Words, finals, host, interim, opening
from parley_stt.tasks import task_group

WHO = "Google Speech"
CHUNK_BYTES = bytes_for(50, HEARING_RATE)
STREAM_SECONDS = 240.0
"""After so long, of Google's 300 s, a stream is left with its next final ..."""
LONGEST_SECONDS = 280.0
"""... and after so long it gets no more audio in any case: what it has heard becomes final."""
IDLE_SECONDS = 5.0
"""Google breaks off after 10 s without audio. So long before that, we end the stream."""
OPEN_SECONDS = 3.0
LAST_SECONDS = 2.0
"""What is final after the end of the audio comes within so long."""


class GoogleSpeechSettings(GoogleSettings):
    """What an agent profile can set."""

    project: str | None = None
    """The Google Cloud project. Default: that of the credentials, or GOOGLE_CLOUD_PROJECT."""

    location: str = Field(default="us", pattern=r"^[a-z0-9-]+$")
    """Where Google hears: `us`, `eu`, a region such as `europe-west4`, or `global`."""

    model: str = "chirp_3"
    """Or `chirp_2`, `latest_long`, `telephony`; not each is in each location."""

    phrases: tuple[str, ...] = ()
    """Names and words to expect."""

    endpointing: Literal["standard", "short", "supershort"] = "standard"
    """How soon Google makes words final in a pause. The turn's end is Parley's decision."""


class GoogleTranscriber(Transcriber):
    """Hears with Google's models; its words come punctuated."""

    Settings = GoogleSpeechSettings
    settings: GoogleSpeechSettings
    capabilities = TranscriberCapabilities(punctuates=True)

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        self._access = access(self.settings, WHO)

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        """Hear `audio` to its end and emit what was said."""
        async with self.settings.account(WHO).stream():
            self._access = self._access or await machine_access(WHO)
            channel = self._access.channel(host(self.settings.location), self.settings.base_url)
            async with channel:
                transport = SpeechGrpcAsyncIOTransport(channel=channel)
                client = SpeechAsyncClient(transport=transport)
                first = self._opening()
                await _Hearing(client, first, self._access.metadata, audio, emit).run()

    def _opening(self) -> v2.StreamingRecognizeRequest:
        settings = self.settings
        project = settings.project or (self._access.project if self._access else None)
        if project is None:
            raise ProviderError(f"{WHO} needs to know the project: set `project`", Retry.NEVER)
        recognizer = f"projects/{project}/locations/{settings.location}/recognizers/_"
        return opening(
            recognizer, settings.model, self.language, settings.phrases, settings.endpointing
        )


class _End(Enum):
    """Why no more audio goes to a stream."""

    ASKED = "FINALIZE"
    IDLE = "there is no audio"
    LIMIT = "it has lasted long enough"
    OVER = "there will be no more audio"


class _Hearing(Connections):
    """One call."""

    def __init__(
        self,
        client: SpeechAsyncClient,
        first: v2.StreamingRecognizeRequest,
        metadata: tuple[tuple[str, str], ...],
        audio: AsyncIterator[bytes | Cue],
        emit: Emit,
    ) -> None:
        super().__init__(WHO, audio, emit)
        self._client = client
        self._first = first
        self._metadata = metadata
        self._begin()

    def _begin(self) -> None:
        self._end: _End | None = None
        self._sent_ms = 0.0
        self._began = asyncio.get_running_loop().time()
        self._last: list[Words] = []
        """Finals since no more audio was sent."""
        self._left = asyncio.Event()
        """Set where the stream is to be left as it is."""

    @property
    def idle_seconds(self) -> float:
        return IDLE_SECONDS

    def gave_up(self) -> None:
        self._left.set()

    async def connection(self) -> None:
        """One stream after another."""
        while self._end is not _End.OVER:
            self.replay.rewind()
            self._begin()
            match await self.take(CHUNK_BYTES, LARGEST_BYTES):
                case b"":
                    continue
                case bytes() as audio:
                    await self._stream(audio)
                case None:
                    self._end = _End.OVER
                case _:
                    self.give_final("", self.replay.heard_ms, answers=True)

    async def _stream(self, audio: bytes) -> None:
        try:
            async with self._call() as call:
                await self._hear(call, audio)
        except FAILURES as failure:
            raise error_from(failure, WHO) from None

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[Any]:
        async with asyncio.timeout(OPEN_SECONDS):
            opened: Any = self._client.streaming_recognize(
                retry=None, timeout=None, metadata=self._metadata
            )
            call = await opened
        try:
            yield call
        finally:
            call.cancel()  # else Google would never know that nobody listens any more

    async def _hear(self, call: Any, audio: bytes) -> None:
        async with task_group() as tasks:
            sending = tasks.create_task(self._send(call, audio))
            reading = tasks.create_task(self._read(call))
            leaving = tasks.create_task(self._left.wait())
            await asyncio.wait({reading, leaving, sending}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                limit = None if self._end is _End.ASKED else LAST_SECONDS
                ended = {reading, leaving}
                await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED, timeout=limit)
            self._finish(reading)
            for task in (sending, reading, leaving):
                task.cancel()

    def _finish(self, reading: "asyncio.Task[None]") -> None:
        """Give what is left of a stream that has ended, or was left."""
        if self._left.is_set() or (reading.done() and reading.exception() is not None):
            return
        if self._end is None:
            raise statuses.broken_off(WHO)
        text = " ".join(words.text for words in self._last if words.text) or self.partial.message
        confidence = min((words.confidence for words in self._last), default=1.0)
        answers = self._end is _End.ASKED
        end_ms = self.replay.position_ms(self._sent_ms)
        self.give_final(text, end_ms, answers=answers, confidence=confidence)

    # --- To Google

    async def _send(self, call: Any, audio: bytes) -> None:
        # Where the call has ended in the meantime, reading it says how.
        with suppress(asyncio.InvalidStateError):
            await self._send_all(call, audio)

    async def _send_all(self, call: Any, audio: bytes) -> None:
        await call.write(self._first)
        item: bytes | Cue | None = audio
        while isinstance(item, bytes):
            await call.write(v2.StreamingRecognizeRequest(audio=item))
            self._sent_ms += duration_ms(len(item), HEARING_RATE)
            if self._lasted(LONGEST_SECONDS):
                self._end = _End.LIMIT
                break
            item = await self.take(CHUNK_BYTES, LARGEST_BYTES)
            if item == b"":
                self._end = _End.IDLE
                break
        else:
            self._end = _End.OVER if item is None else _End.ASKED
        await call.done_writing()

    def _lasted(self, seconds: float) -> bool:
        open_for = asyncio.get_running_loop().time() - self._began
        return max(open_for, self._sent_ms / 1000) >= seconds

    # --- From Google

    async def _read(self, call: Any) -> None:
        async for response in call:
            if response is not None:  # what gRPC could not read
                self._take(response)

    def _take(self, response: v2.StreamingRecognizeResponse) -> None:
        for words in finals(response):
            if self._end is not None:
                self._last.append(words)
                continue
            end_ms = self._sent_ms if words.end_ms is None else words.end_ms
            position_ms = self.replay.position_ms(end_ms)
            self.give_final(words.text, position_ms, answers=False, confidence=words.confidence)
            if self._lasted(STREAM_SECONDS):
                self._left.set()  # the next one begins where this final ends
        words_so_far = interim(response)
        if words_so_far is not None or self._last:
            self._give_interim(words_so_far)

    def _give_interim(self, interim: Words | None) -> None:
        parts = [*self._last, interim] if interim is not None else self._last
        text = " ".join(words.text for words in parts if words.text)
        last = parts[-1]
        end_ms = None if last.end_ms is None else self.replay.position_ms(last.end_ms)
        self.give_partial(text, last.confidence, end_ms)

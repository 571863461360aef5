"""Deepgram's transcribers without turn detection (Nova), through v1 of its streaming API."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from deepgram.listen.v1.socket_client import AsyncV1SocketClient
from deepgram.listen.v1.types import ListenV1Error, ListenV1Results
from pydantic import Field

from parley.audio import HEARING_RATE
from parley.providers import Cue, Emit, ProviderSettings, Transcriber
from parley.statuses import broken_off
from parley_stt.clouds.deepgram_connection import WHO, DeepgramSettings, client
from parley_stt.clouds.deepgram_stream import SLACK_MS, DeepgramStream
from parley_stt.clouds.deepgram_wire import Segment, language_of, segment_of


class NovaSettings(DeepgramSettings):
    """What an agent profile can set."""

    model: str = "nova-3"

    language: str | None = None
    """In place of the profile's, as Deepgram calls it: `multi` hears several in one call."""

    smart_format: bool = True
    """Numbers, dates and the like in figures, and punctuation."""

    endpointing_ms: int = Field(default=300, ge=10)
    """After so much silence Deepgram makes a final of what it has. The turn goes on."""


class DeepgramTranscriber(Transcriber):
    """Hears one conversation. The engine decides when a turn is over, and asks for the rest."""

    Settings = NovaSettings
    settings: NovaSettings

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        self._client = client(self.settings.key(WHO), self.settings.base_url)

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        """Hear `audio` to its end and emit what was said."""
        account = self.settings.account(WHO)
        await NovaStream(account, self._connect, audio, emit).run()

    def _connect(self) -> AbstractAsyncContextManager[AsyncV1SocketClient]:
        wanted = self.settings
        # Strings, not numbers or truth values: the SDK would write those as Python does.
        connection: AbstractAsyncContextManager[AsyncV1SocketClient]
        connection = self._client.listen.v1.connect(
            model=wanted.model,
            language=wanted.language or language_of(self.language),
            encoding="linear16",
            sample_rate=str(HEARING_RATE),
            channels="1",
            interim_results="true",
            endpointing=str(wanted.endpointing_ms),
            smart_format=str(wanted.smart_format).lower(),
            punctuate="true",
            keyterm=list(wanted.keyterms) or None,
        )
        return connection


class NovaStream(DeepgramStream[AsyncV1SocketClient]):
    """A hearing by v1."""

    idle_seconds = 4.0
    """Without a message for 10 s, Deepgram hangs up (NET-0001)."""

    _told_ms = 0.0
    """A partial had to do for an answer up to here: one that comes after all says nothing new."""

    def gave_up(self) -> None:
        """The answer, should it yet come, is not told again."""
        if self.partial.message and self.replay.asked_ms is not None:
            self._told_ms = self.replay.asked_ms

    async def keep_alive(self, socket: AsyncV1SocketClient) -> None:
        """There is no audio."""
        await socket.send_keep_alive()

    async def finalize(self, socket: AsyncV1SocketClient) -> None:
        """Have all audio so far made a final."""
        await socket.send_finalize()

    def hear(self, message: object) -> None:
        """Results are heard; an error ends the connection; all else tells nothing new."""
        match message:
            case ListenV1Results():
                self._hear(segment_of(message))
            case ListenV1Error():
                raise broken_off(WHO)

    def _hear(self, segment: Segment) -> None:
        start_ms, end_ms = map(self.replay.position_ms, (segment.start_ms, segment.end_ms))
        text = "" if (start_ms + end_ms) / 2 < self._told_ms else segment.text
        self.covers(end_ms)
        if segment.is_final:
            answers = self.is_answer(end_ms, SLACK_MS if segment.from_finalize else 0)
            self.give_final(text, end_ms, answers=answers, confidence=segment.confidence)
        else:
            self.give_partial(text, segment.confidence, end_ms)

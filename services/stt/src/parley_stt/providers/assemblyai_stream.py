"""AssemblyAI's streaming speech to text, v3.

The SDK's client ends without a word in four cases: refused at the door, closed with 1000, on a
Turn that it cannot parse, and when sending after any of these. It also queues without bound. So
only its models are used here, for what is sent and what comes; the WebSocket is our own.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from assemblyai.streaming.v3 import (
    BeginEvent,
    RealTimeParameters,
    TerminationEvent,
    TurnEvent,
    Word,
)
from pydantic import Field, ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from parley.audio import HEARING_RATE, bytes_for
from parley.cloud import CloudSettings
from parley.messages import Retry
from parley.providers import (
    Cue,
    Emit,
    ProviderError,
    ProviderSettings,
    Transcriber,
    TranscriberCapabilities,
    TurnEnded,
)
from parley.retry_after import retry_after
from parley.secret_refs import SecretRef
from parley.statuses import broken_off, error_of, late, unreachable
from parley_stt.clouds.assemblyai_wire import (
    ENGLISH_ONLY,
    Event,
    confidence,
    error_of_code,
    is_formatted_anyway,
    joined,
    parse,
    url,
)
from parley_stt.clouds.connections import Connections
from parley_stt.tasks import task_group

WHO = "AssemblyAI"
SHORTEST_BYTES, LONGEST_BYTES = bytes_for(50, HEARING_RATE), bytes_for(1_000, HEARING_RATE)
"""A message has 50 to 1000 ms of audio, or the session is over."""
OPEN_SECONDS = 2.0
"""To the open connection, and from there to the server's Begin."""
LAST_SECONDS = 1.0
"""The last words may take so long after the end of the audio."""
CLOSE_SECONDS = 0.5
PING_SECONDS = 5.0
"""Between two pings, and to the answer: a dead connection is left after twice that."""


class AssemblyAISettings(CloudSettings):
    """What an agent profile can set."""

    api_key: SecretRef = "env:ASSEMBLYAI_API_KEY"

    model: str = "universal-3-6-pro"
    """Or `universal-3-5-pro`, `universal-streaming-english`, `universal-streaming-multilingual`."""

    min_turn_silence_ms: int | None = Field(default=None, ge=0)
    """Silence that ends a turn whose words seem complete. Default: AssemblyAI's own for the model,
    as for the next one."""

    max_turn_silence_ms: int | None = Field(default=None, ge=0)
    """Silence that ends any turn."""

    keyterms: tuple[str, ...] = ()
    """Names and words to expect."""


class AssemblyAITranscriber(Transcriber):
    """Hears with a model that ends turns itself; its words come punctuated."""

    Settings = AssemblyAISettings
    settings: AssemblyAISettings
    capabilities = TranscriberCapabilities(detects_end_of_turn=True, punctuates=True)

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        self._key = self.settings.key(WHO)
        self._url = url(self.settings.base_url, _parameters(self.settings, language))

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        """Hear `audio` to its end and emit what was said."""
        async with self.settings.account(WHO).stream():
            is_formatted = is_formatted_anyway(self.settings.model)
            await _Hearing(self._url, self._key, is_formatted, audio, emit).run()


def _parameters(settings: AssemblyAISettings, language: str) -> RealTimeParameters:
    spoken = language.lower().partition("-")[0]
    if settings.model == ENGLISH_ONLY and spoken != "en":
        raise ProviderError(f"{settings.model} hears English only, not {language}", Retry.NEVER)
    is_pro = is_formatted_anyway(settings.model)
    try:
        return RealTimeParameters.model_validate(
            {
                "sample_rate": HEARING_RATE,
                "encoding": "pcm_s16le",
                "speech_model": settings.model,
                "min_turn_silence": settings.min_turn_silence_ms,
                "max_turn_silence": settings.max_turn_silence_ms,
                "keyterms_prompt": list(settings.keyterms) or None,
                "language_codes": [spoken] if is_pro else None,
                "continuous_partials": True if is_pro else None,
                "format_turns": None if is_pro else True,
            }
        )
    except ValidationError:
        raise ProviderError(f"{WHO} knows no model {settings.model!r}", Retry.NEVER) from None


class _Hearing(Connections):
    """One call."""

    def __init__(
        self,
        address: str,
        key: str,
        is_formatted: bool,
        audio: AsyncIterator[bytes | Cue],
        emit: Emit,
    ) -> None:
        super().__init__(WHO, audio, emit)
        self._address = address
        self._key = key
        self._is_formatted = is_formatted
        self._began = asyncio.Event()
        self._partial_ms = 0.0
        self._final_ms = 0.0
        """Up to here in the hearing all words are final, or not to come any more."""

    @property
    def may_be_all(self) -> bool:
        # It may say nothing where there is nothing to end.
        return self._began.is_set() or bool(self.partial.message)

    def gave_up(self) -> None:
        self._final_ms = max(self._final_ms, self._partial_ms)

    async def connection(self) -> None:
        self._began.clear()
        try:
            async with self._connect_socket() as socket, task_group() as tasks:
                beginning = tasks.create_task(self._await_begin())
                receiving = tasks.create_task(self._receive(socket))
                await self._send(socket)
                await asyncio.wait({receiving}, timeout=LAST_SECONDS)
                for task in (beginning, receiving):
                    task.cancel()
        except InvalidStatus as refused:
            headers = refused.response.headers
            wait = retry_after(headers, datetime.now(UTC))
            raise error_of(refused.response.status_code, WHO, wait) from None
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else None
            raise error_of_code(code, WHO) from None
        except (OSError, InvalidHandshake, InvalidURI):  # a time-out is an OSError
            raise unreachable(WHO) from None

    def _connect_socket(self) -> connect:
        return connect(
            self._address,
            additional_headers={
                "Authorization": self._key,
                "AssemblyAI-Version": "2025-05-12",
            },
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            compression=None,
        )

    async def _await_begin(self) -> None:
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self._began.wait()
        except TimeoutError:
            raise late(WHO) from None

    async def _send(self, socket: ClientConnection) -> None:
        while (item := await self.take(SHORTEST_BYTES, LONGEST_BYTES)) is not None:
            if not isinstance(item, bytes):
                await socket.send('{"type": "ForceEndpoint"}')
                continue
            missing = SHORTEST_BYTES - len(item)
            if missing > 0:
                self.replay.fill(missing)
            await socket.send(item + bytes(max(missing, 0)))
        await socket.send('{"type": "Terminate"}')

    async def _receive(self, socket: ClientConnection) -> None:
        async for message in socket:
            event = parse(message, WHO)
            if isinstance(event, TerminationEvent):
                return
            if event is not None:
                self._hear(event)
        raise broken_off(WHO)

    def _hear(self, event: Event) -> None:
        match event:
            case BeginEvent():
                self._began.set()
                self.changed()
            case TurnEvent(end_of_turn=True) if event.turn_is_formatted or self._is_formatted:
                self._end_turn(event)
            case TurnEvent():
                self._hear_words(event)

    def _hear_words(self, turn: TurnEvent) -> None:
        words = self._new_words(turn)
        if not words:
            return
        self._partial_ms = self.replay.position_ms(words[-1].end)
        self.give_partial(joined(turn, words), confidence(words), self._partial_ms)

    def _end_turn(self, turn: TurnEvent) -> None:
        words = self._new_words(turn)
        if words:
            self._final_ms = self.replay.position_ms(words[-1].end)
        answers = self.is_answer(self._final_ms)
        if not words and not answers:
            return
        self.give_final(
            joined(turn, words),
            self._final_ms,
            answers=answers,
            turn_over=True,
            confidence=confidence(words),
        )
        if not self.replay.owes:
            self.emit(TurnEnded())

    def _new_words(self, turn: TurnEvent) -> list[Word]:
        """Those that are not final yet: a turn that was replayed, or answered for, comes again."""
        return [
            word
            for word in turn.words
            if self.replay.position_ms((word.start + word.end) / 2) > self._final_ms
        ]

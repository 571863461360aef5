"""Deepgram's transcriber for conversations (Flux), through v2 of its streaming API.

Flux decides itself when a turn is over. It knows no time but that of the audio: where the caller's
stops in the middle of a turn, the turn would never end, and after 10 s the connection would. So
it is sent silence then.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import ClassVar

from deepgram.listen.v2.socket_client import AsyncV2SocketClient
from deepgram.listen.v2.types import ListenV2FatalError, ListenV2TurnInfo
from pydantic import Field

from parley.accounts import Account
from parley.audio import HEARING_RATE, bytes_for
from parley.providers import (
    Cue,
    Emit,
    Heard,
    ProviderSettings,
    Transcriber,
    TranscriberCapabilities,
    TurnEnded,
    TurnProbablyEnded,
    TurnResumed,
)
from parley.statuses import broken_off
from parley_stt.clouds.connections import NOTHING
from parley_stt.clouds.deepgram_connection import WHO, DeepgramSettings, client
from parley_stt.clouds.deepgram_stream import DeepgramStream
from parley_stt.clouds.deepgram_wire import Turn, turn_of
from parley_stt.end_of_turn import is_english


class FluxSettings(DeepgramSettings):
    """What an agent profile can set."""

    model: str | None = None
    """Default: `flux-general-en` for English, else `flux-general-multi`."""

    eot_threshold: float = Field(default=0.7, ge=0.5, le=1.0)
    """So sure Flux must be that a turn is over."""

    eager_eot_threshold: float | None = Field(default=0.5, ge=0.3, le=0.9)
    """So sure it must be for a reply to be begun. `null`: none is begun before the turn is over."""

    eot_timeout_ms: int = Field(default=5_000, ge=500, le=30_000)
    """After so much silence a turn is over, however sure it is."""


class FluxTranscriber(Transcriber):
    """Hears one conversation, and says when the caller's turn is over."""

    Settings = FluxSettings
    settings: FluxSettings
    capabilities = TranscriberCapabilities(detects_end_of_turn=True)

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        self._client = client(self.settings.key(WHO), self.settings.base_url)

    async def transcribe(self, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        """Hear `audio` to its end and emit what was said."""
        account = self.settings.account(WHO)
        await FluxStream(account, self._connect, audio, emit).run()

    def _connect(self) -> AbstractAsyncContextManager[AsyncV2SocketClient]:
        wanted = self.settings
        usual = "flux-general-en" if is_english(self.language) else "flux-general-multi"
        model = wanted.model or usual
        is_multi = model.endswith("-multi")
        eager = wanted.eager_eot_threshold
        connection: AbstractAsyncContextManager[AsyncV2SocketClient]
        connection = self._client.listen.v2.connect(
            model=model,
            encoding="linear16",
            sample_rate=str(HEARING_RATE),
            eot_threshold=str(wanted.eot_threshold),
            eager_eot_threshold=None if eager is None else str(eager),
            eot_timeout_ms=str(wanted.eot_timeout_ms),
            keyterm=list(wanted.keyterms) or None,
            language_hint=[self.language.lower().partition("-")[0]] if is_multi else None,
        )
        return connection


@dataclass
class _OpenTurn:
    """What is known of the turn that Flux is in, if it `has_begun`."""

    has_begun: bool = False
    is_likely_over: bool = False
    is_forced: bool = False
    """It was told to end."""
    words: tuple[tuple[str, float], ...] = ()
    """The words of the last partial, each with the position of its end."""
    told: int = 0
    """So many of its words are in a final already."""


class FluxStream(DeepgramStream[AsyncV2SocketClient]):
    """A hearing by v2."""

    CHUNK_BYTES: ClassVar[int] = bytes_for(80, HEARING_RATE)
    """What Deepgram recommends."""

    def __init__(
        self,
        account: Account,
        connect: Callable[[], AbstractAsyncContextManager[AsyncV2SocketClient]],
        audio: AsyncIterator[bytes | Cue],
        emit: Emit,
    ) -> None:
        super().__init__(account, connect, audio, emit)
        self._turn = _OpenTurn()

    @property
    def idle_seconds(self) -> float:
        """Without audio for so long, silence is sent."""
        return 0.5 if self._turn.has_begun else 4.0

    async def keep_alive(self, socket: AsyncV2SocketClient) -> None:
        """Go on with silence: there is no message for this."""
        silence = bytes(bytes_for(500 if self._turn.has_begun else 80, HEARING_RATE))
        self.replay.fill(len(silence))
        await socket.send_media(silence)

    async def finalize(self, socket: AsyncV2SocketClient) -> None:
        """A turn ends with what has been transcribed: that may not be all yet."""
        await self.hasten(socket)

    async def hasten(self, socket: AsyncV2SocketClient) -> None:
        """End the turn as soon as all of it is transcribed."""
        if self._turn.has_begun and self.is_all and not self._turn.is_forced:
            self._turn.is_forced = True
            await socket.send_force_end_turn()

    def hear(self, message: object) -> None:
        """Turns are told; an error ends the connection; all else tells nothing new."""
        match message:
            case ListenV2TurnInfo():
                self._hear(turn_of(message))
            case ListenV2FatalError():
                raise broken_off(WHO)

    def gave_up(self) -> None:
        """The turn goes on, as far as Flux knows: what was told is not told again."""
        self._turn.told += len(self.partial.message.split())
        self._turn.is_forced = False

    def broke(self) -> None:
        """The turn begins anew, but for words that are too old to be heard again."""
        settled_ms, turn = self.replay.settled_ms, self._turn
        gone = " ".join(word for word, end_ms in turn.words if end_ms <= settled_ms)
        if turn.is_likely_over:
            self.emit(TurnResumed())
        if gone:
            self.emit(Heard(gone, True, end_ms=settled_ms))
        self.partial = NOTHING
        self._turn = _OpenTurn()

    def _hear(self, turn: Turn) -> None:
        end_ms = self.replay.position_ms(turn.end_ms)
        self.covers(end_ms)
        text = " ".join(turn.text.split()[self._turn.told :])
        match turn.event:
            case "EndOfTurn":
                self._tell_end(text, turn.confidence, end_ms)
            case "EagerEndOfTurn":
                self._tell_partial(text, turn, end_ms)
                self._turn.is_likely_over = True
                self.emit(TurnProbablyEnded())
            case "TurnResumed":
                self._turn.is_likely_over = False
                self.emit(TurnResumed())
                self._tell_partial(text, turn, end_ms)
            case _:
                self._tell_partial(text, turn, end_ms)

    def _tell_partial(self, text: str, turn: Turn, end_ms: float) -> None:
        if not text:
            return
        self._turn.has_begun = True
        self._turn.words = tuple(
            (word, end_ms if ended is None else self.replay.position_ms(ended))
            for word, ended in turn.words[self._turn.told :]
        )
        if text != self.partial.message:
            self.give_partial(text, turn.confidence, end_ms)

    def _tell_end(self, text: str, confidence: float, end_ms: float) -> None:
        self._turn = _OpenTurn()
        answers = self.is_answer(end_ms)
        self.give_final(text, end_ms, answers=answers, turn_over=True, confidence=confidence)
        self.emit(TurnEnded())

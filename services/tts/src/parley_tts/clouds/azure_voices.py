"""Azure's native SDK speaking, told of on the event loop.

A `Voice` keeps a connection and says one sentence at a time. The SDK has threads of its own: words
and audio come on two of them, so a word can come just after the audio that it is in, and the end
before the last audio.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass

import azure.cognitiveservices.speech as speechsdk

from parley import azure, statuses
from parley.audio import duration_ms
from parley.azure import TICKS_PER_MS, WHO
from parley.faults import ProviderError

SAMPLE_RATE = 24_000
WAITING = 4_096
"""So many pieces of one sentence may wait to be taken: minutes of it."""
WORD_LAG_SECONDS = 0.02
"""A word may come so much later than its audio, which waits for it."""
CANCEL_LAG_SECONDS = 0.2
"""And what became of a sentence so much later than the end of the connection."""


@dataclass(frozen=True)
class Word:
    """A word as it stands in the text, and when it is spoken (ms)."""

    text: str
    start_ms: float
    end_ms: float


@dataclass(frozen=True)
class Done:
    """The sentence is spoken: `audio` is all of it. Or, with an error, it is not."""

    audio: bytes = b""
    error: ProviderError | None = None


Piece = bytes | Word | Done


class Voice:
    """A synthesizer of the SDK, with its connection."""

    def __init__(self, config: speechsdk.SpeechConfig) -> None:
        self._synthesizer = speechsdk.SpeechSynthesizer(config, None)
        self._connection = speechsdk.Connection.from_speech_synthesizer(self._synthesizer)

    async def say(self, ssml: str) -> AsyncGenerator[bytes | Word, None]:
        """Yield what is spoken, each word before its audio. Raises ProviderError.

        Closing the generator closes the connection, which stops Azure at once; a new one is
        opened for the next sentence.
        """
        pieces: asyncio.Queue[Piece] = asyncio.Queue(WAITING)
        self._listen(pieces)
        under_way = self._synthesizer.speak_ssml_async(ssml)
        spoken, told_ms = 0, 0.0
        done: Done | None = None
        try:
            while done is None:
                words, pcm, done = await _next(pieces, spoken, told_ms)
                if done is not None and done.error is not None:
                    raise done.error
                for word in words:
                    told_ms = word.start_ms
                    yield word
                pcm = pcm if done is None else done.audio[spoken:]
                spoken += len(pcm)
                yield pcm
        finally:
            await asyncio.to_thread(self._end, under_way, done)

    def release(self) -> None:
        """Let go of the connection and the threads. Blocks for a moment."""
        del self._synthesizer, self._connection

    def _listen(self, pieces: asyncio.Queue[Piece]) -> None:
        loop = asyncio.get_running_loop()

        def put(piece: Piece) -> None:
            if pieces.full():
                pieces.get_nowait()
                piece = Done(error=statuses.not_understood(WHO))
            pieces.put_nowait(piece)

        def tell(piece: Piece) -> None:
            loop.call_soon_threadsafe(put, piece)

        def tell_broken() -> None:
            broken = Done(error=statuses.broken_off(WHO))
            loop.call_soon_threadsafe(loop.call_later, CANCEL_LAG_SECONDS, put, broken)

        synthesizer = self._synthesizer
        synthesizer.synthesizing.connect(lambda told: tell(told.result.audio_data))
        synthesizer.synthesis_word_boundary.connect(lambda told: tell(_word(told)))
        synthesizer.synthesis_completed.connect(lambda told: tell(Done(told.result.audio_data)))
        synthesizer.synthesis_canceled.connect(lambda told: tell(_cancelled(told.result)))
        # A connection that ends in good order is nothing to the SDK, for many seconds.
        self._connection.disconnected.connect(lambda _: tell_broken())

    def _end(self, under_way: speechsdk.ResultFuture, done: Done | None) -> None:
        synthesizer = self._synthesizer
        for signal in (
            synthesizer.synthesizing,
            synthesizer.synthesis_word_boundary,
            synthesizer.synthesis_completed,
            synthesizer.synthesis_canceled,
            self._connection.disconnected,
        ):
            signal.disconnect_all()
        if done is None or done.error is not None:
            synthesizer.stop_speaking_async().get()
        under_way.get()
        if done is None:
            self._connection.open(True)


def config_of(settings: azure.AzureSettings, key: str) -> speechsdk.SpeechConfig:
    """The SDK's settings for speech: PCM16 mono at SAMPLE_RATE Hz, with the times of words."""
    config = speechsdk.SpeechConfig(subscription=key, **settings.address())
    config.set_speech_synthesis_output_format(
        speechsdk.SpeechSynthesisOutputFormat.Raw24Khz16BitMonoPcm
    )
    for name, value in {
        # Else audio may be sent as MP3 where GStreamer is installed.
        speechsdk.PropertyId.SpeechServiceConnection_SynthEnableCompressedAudioTransmission: False,
        speechsdk.PropertyId.SpeechServiceResponse_RequestPunctuationBoundary: False,
        speechsdk.PropertyId.SpeechServiceResponse_SynthesisEventsSyncToAudio: False,
    }.items():
        config.set_property(name, str(value).lower())
    return config


async def _next(
    pieces: asyncio.Queue[Piece], spoken: int, told_ms: float
) -> tuple[list[Word], bytes, Done | None]:
    """What there is next: words, audio, and whether it is the end.

    `spoken` bytes of audio came before, and words up to `told_ms`: no word in the audio can be
    missing once there is one that begins after it.
    """
    words: list[Word] = []
    pcm = b""
    done: Done | None = None
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as lag:
            while not pcm or told_ms < duration_ms(spoken + len(pcm), SAMPLE_RATE):
                piece = await pieces.get()
                if isinstance(piece, Word):
                    words.append(piece)
                    told_ms = piece.start_ms
                    continue
                if isinstance(piece, bytes):
                    pcm += piece
                else:
                    done = piece
                    if done.error is not None:
                        break
                if lag.when() is None:
                    lag.reschedule(asyncio.get_running_loop().time() + WORD_LAG_SECONDS)
    return words, pcm, done


def _word(told: speechsdk.SpeechSynthesisWordBoundaryEventArgs) -> Word:
    start_ms = told.audio_offset / TICKS_PER_MS
    return Word(told.text, start_ms, start_ms + told.duration.total_seconds() * 1000)


def _cancelled(result: speechsdk.SpeechSynthesisResult) -> Done:
    details = result.cancellation_details
    return Done(error=azure.error_of(details.error_code.name, details.error_details))

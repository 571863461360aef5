"""One recognition by Azure's native SDK, told of on the event loop.

The SDK has threads of its own. What they tell is handed to the loop; what might block is done in
another thread. The SDK itself connects again when the connection breaks, sends the audio again
that Azure has not acknowledged, and keeps its times right; it gives up after SDK_TRIES.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import azure.cognitiveservices.speech as speechsdk

from parley import azure
from parley.audio import HEARING_RATE
from parley.azure import TICKS_PER_MS
from parley.providers import ProviderError

SDK_TRIES = 2
"""Connections in a row that bring no final, before the SDK gives up: 0.3 s each."""
STOP_SECONDS = 1
"""So long the SDK waits for a server to take leave; 10 s if it is not told."""
AT_ONCE_MS = 30_000
"""So much audio it sends as fast as it can, and only then at twice real time: a replay is late
enough. 5 s if it is not told."""


@dataclass(frozen=True)
class Words:
    """What was recognised; `end_ms` is its place in the audio of this recognition.

    `commit`: the commit that this final answers, 0 for none.
    """

    text: str
    is_final: bool
    end_ms: float
    confidence: float = 1.0
    commit: int = 0


@dataclass(frozen=True)
class Broken:
    """The connection broke. The SDK sends the audio again, if it can; but a commit may then come
    before audio that it should come after."""


@dataclass(frozen=True)
class Ended:
    """Nothing more will come: all audio is recognised, or, with an error, all is lost."""

    error: ProviderError | None = None


Event = Words | Broken | Ended


class Session:
    """A recognition under way. Its methods do not block."""

    def __init__(
        self,
        stream: speechsdk.audio.PushAudioInputStream,
        recognizer: speechsdk.SpeechRecognizer,
        connection: speechsdk.Connection,
    ) -> None:
        self._stream = stream
        self._recognizer: speechsdk.SpeechRecognizer | None = recognizer
        self._connection: speechsdk.Connection | None = connection
        self._started = recognizer.start_continuous_recognition_async()
        self.is_closed = False
        """Whether no more audio can be written."""

    def write(self, pcm: bytes) -> None:
        """Hear this: PCM16 mono at 16 kHz."""
        self._stream.write(pcm)

    def commit(self) -> int:
        """Have what was written so far made final; the number that the answer bears.

        Azure need not do so. 0: the SDK does not even ask.
        """
        return int(self._stream.commit())

    def close(self) -> None:
        """No more audio: all of it is made final, and then the recognition ends."""
        self._stream.close()
        self.is_closed = True

    def release(self) -> None:
        """Let go of the connection and the threads. Blocks for up to STOP_SECONDS.

        The recogniser stops as its last reference goes: to stop it first would mean to wait twice.
        """
        recognizer, self._recognizer = self._recognizer, None
        connection, self._connection = self._connection, None
        if recognizer is None or connection is None:
            return
        for signal in (
            recognizer.recognizing,
            recognizer.recognized,
            recognizer.canceled,
            connection.disconnected,
        ):
            signal.disconnect_all()
        self._started.get()
        if not self.is_closed:
            self.close()


@asynccontextmanager
async def session(
    config: speechsdk.SpeechConfig, language: str, tell: Callable[[Event], None]
) -> AsyncIterator[Session]:
    """A recognition for as long as the context lasts; `tell` is called on the event loop.

    Nothing is told any more, and nothing of the SDK is left, when the context is left.
    """
    loop = asyncio.get_running_loop()
    is_over = False

    def here(event: Event) -> None:
        if not is_over:
            tell(event)

    def hand_over(event: Event) -> None:
        loop.call_soon_threadsafe(here, event)

    heard = _begin(config, language, hand_over)
    try:
        yield heard
    finally:
        is_over = True
        await asyncio.to_thread(heard.release)


def config_of(settings: azure.AzureSettings, key: str) -> speechsdk.SpeechConfig:
    """The SDK's settings for recognition."""
    config = speechsdk.SpeechConfig(subscription=key, **settings.address())
    config.output_format = speechsdk.OutputFormat.Detailed
    for name, value in {
        "SPEECH-Error-MaxRetryCount": SDK_TRIES,
        "SPEECH-StopRecognitionTimeoutInSeconds": STOP_SECONDS,
        "SPEECH-TransmitLengthBeforeThrottleMs": AT_ONCE_MS,
    }.items():
        config.set_property_by_name(name, str(value))
    return config


def _begin(
    config: speechsdk.SpeechConfig, language: str, hand_over: Callable[[Event], None]
) -> Session:
    audio_format = speechsdk.audio.AudioStreamFormat(HEARING_RATE, 16, 1)
    stream = speechsdk.audio.PushAudioInputStream(audio_format)
    audio = speechsdk.audio.AudioConfig(stream=stream)
    recognizer = speechsdk.SpeechRecognizer(config, audio, language=language)
    recognizer.recognizing.connect(lambda told: hand_over(_words(told.result, is_final=False)))
    recognizer.recognized.connect(lambda told: hand_over(_words(told.result, is_final=True)))
    recognizer.canceled.connect(lambda told: hand_over(_ended(told.cancellation_details)))
    connection = speechsdk.Connection.from_recognizer(recognizer)
    connection.disconnected.connect(lambda _: hand_over(Broken()))
    return Session(stream, recognizer, connection)


def _words(result: speechsdk.SpeechRecognitionResult, *, is_final: bool) -> Words:
    end_ms = (result.offset + result.duration) / TICKS_PER_MS
    confidence = confidence_of(result.json) if is_final else 1.0
    return Words(result.text.strip(), is_final, end_ms, confidence, result.commit_token)


def confidence_of(answer: str) -> float:
    """How sure Azure is of the best of its readings, from 0 to 1; 1 where it does not say."""
    try:
        confidence = float(json.loads(answer)["NBest"][0]["Confidence"])
    except (ValueError, LookupError, TypeError):
        return 1.0
    return min(max(confidence, 0.0), 1.0)


def _ended(details: speechsdk.CancellationDetails) -> Ended:
    if details.reason == speechsdk.CancellationReason.EndOfStream:
        return Ended()
    return Ended(azure.error_of(details.code.name, details.error_details))

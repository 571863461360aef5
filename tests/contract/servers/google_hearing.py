"""One call of Google's Speech.StreamingRecognize: what it checks, and how it hears."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
from google.cloud.speech_v2.types import cloud_speech as v2

from contract.servers.ear import Ear, Result, Started, Word
from parley.audio import HEARING_RATE, duration_ms

if TYPE_CHECKING:
    from contract.servers.google import GoogleServer

_LARGEST_BYTES = 15 * 1024
_SILENCE_MS = 600.0
_SLICE_BYTES = 3_200
_LINEAR16 = v2.ExplicitDecodingConfig.AudioEncoding.LINEAR16
_SPEECH = v2.StreamingRecognizeResponse.SpeechEventType


class Hearing:
    """Hears the audio of `requests`."""

    def __init__(self, server: "GoogleServer", requests: Any) -> None:
        self._server = server
        self._requests = requests
        self._events: list[Started | Result] = []
        self._ear = Ear(self._events.append, _SILENCE_MS)
        self._heard_ms = 0.0
        self._features: Any = None

    async def responses(self, context: Any) -> AsyncIterator[v2.StreamingRecognizeResponse]:
        """What Google would say."""
        await self._open(context)
        while (audio := await self._audio(context)) is not None:
            for begin in range(0, len(audio), _SLICE_BYTES):
                await self._ear.push(audio[begin : begin + _SLICE_BYTES])
                for response in self._told():
                    yield response
        last = await self._ear.finalize()
        if last.words:
            yield _final(last)

    async def _next(self, context: Any) -> Any:
        try:
            async with asyncio.timeout(self._server.idle_seconds):
                return await context.read()
        except TimeoutError:
            await context.abort(
                grpc.StatusCode.ABORTED,
                "409 Stream timed out after receiving no more client requests.",
            )

    async def _open(self, context: Any) -> None:
        first = await self._next(context)
        if first is grpc.aio.EOF:
            await asyncio.sleep(0.02)  # a client that leaves looks like this at first
            await self._server.refuse(context, "no first message")
        self._server.check(first)
        self._server.opened.append(first)
        config = first.streaming_config.config
        decoding = config.explicit_decoding_config
        wrong = [
            what
            for what, is_so in {
                "no recognizer": first.recognizer.split("/")[::2]
                != ["projects", "locations", "recognizers"],
                "audio in the first message": "audio" in first,
                "no model": not config.model,
                "no language": not config.language_codes,
                "not LINEAR16": decoding.encoding
                != v2.ExplicitDecodingConfig.AudioEncoding.LINEAR16,
                "not 16 kHz mono": (decoding.sample_rate_hertz, decoding.audio_channel_count)
                != (HEARING_RATE, 1),
            }.items()
            if is_so
        ]
        if wrong:
            await self._server.refuse(context, ", ".join(wrong))
        self._features = first.streaming_config.streaming_features

    async def _audio(self, context: Any) -> bytes | None:
        request = await self._next(context)
        if request is grpc.aio.EOF:
            await asyncio.sleep(0.02)  # a client that leaves looks like this at first
            return None
        self._server.check(request)
        if "streaming_config" in request or request.recognizer:
            await self._server.refuse(context, "a configuration after the first message")
        audio = bytes(request.audio)
        if not 0 < len(audio) <= _LARGEST_BYTES:
            await self._server.refuse(context, f"{len(audio)} bytes of audio in a message")
        self._heard_ms += duration_ms(len(audio), HEARING_RATE)
        if self._heard_ms > self._server.stream_seconds * 1000:
            self._server.violations.append("a stream of more than 5 minutes")
            await context.abort(
                grpc.StatusCode.ABORTED, "Max duration of 5 minutes reached for stream."
            )
        return audio

    def _told(self) -> list[v2.StreamingRecognizeResponse]:
        events, self._events[:] = self._events[:], []
        responses = []
        for event in events:
            if isinstance(event, Started):
                if self._features.enable_voice_activity_events:
                    responses.append(_started(event))
            elif event.is_final:
                responses += [_final(event)] if event.words else []
            elif self._features.interim_results:
                responses.append(_interim(event))
        return responses


def _started(event: Started) -> v2.StreamingRecognizeResponse:
    return v2.StreamingRecognizeResponse(
        speech_event_type=_SPEECH.SPEECH_ACTIVITY_BEGIN,
        speech_event_offset=timedelta(milliseconds=event.at_ms),
    )


def _final(result: Result) -> v2.StreamingRecognizeResponse:
    part = _part(result.words, is_final=True, confidence=0.9)
    return v2.StreamingRecognizeResponse(results=[part])


def _interim(result: Result) -> v2.StreamingRecognizeResponse:
    """The words in two parts: those that are sure, and those that are not."""
    sure = len(result.words) // 2
    parts = [
        _part(words, stability=stability)
        for words, stability in ((result.words[:sure], 0.9), (result.words[sure:], 0.01))
        if words
    ]
    return v2.StreamingRecognizeResponse(results=parts)


def _part(words: list[Word], **fields: Any) -> v2.StreamingRecognitionResult:
    confidence = fields.pop("confidence", 0.0)
    text = "".join(f" {word.text}" for word in words)
    alternative = v2.SpeechRecognitionAlternative(transcript=text, confidence=confidence)
    return v2.StreamingRecognitionResult(
        alternatives=[alternative],
        result_end_offset=timedelta(milliseconds=words[-1].end_ms),
        language_code="en-us",
        **fields,
    )

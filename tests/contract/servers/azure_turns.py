"""What the Azure contract server does in a turn: one recognition, or one sentence spoken."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any
from xml.etree import ElementTree

from contract.servers.ear import Ear, Result, Started
from contract.servers.usp import Frame
from contract.servers.voice import speech
from parley.audio import HEARING_RATE
from parley.marks import Mark

TICKS_PER_MS = 10_000
SEGMENTATION_MS = 650
"""Silence that ends a phrase, if the client does not say."""
SPEAKING_RATE = 24_000
FRAME_BYTES = 9_600
FRAME_SECONDS = 0.04
"""Between two frames of 0.2 s."""
_WAV = struct.Struct("<4s4x4s4sIHHIIHH")  # all but the sizes, which a stream does not know
STREAM_ID = "0123456789ABCDEF"
_SSML = "{http://www.w3.org/2001/10/synthesis}"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

Tell = Callable[[str, dict[str, Any]], Awaitable[None]]
Violation = Callable[[str], None]


def silence_of(context: dict[str, Any]) -> int | None:
    """The silence (ms) that is to end a phrase, if a speech.context says so."""
    detection = context["phraseDetection"]
    conversation = detection.get("conversation") or detection.get("CONVERSATION") or {}
    silence_ms: int | None = conversation.get("segmentation", {}).get(
        "segmentationSilenceTimeoutMs"
    )
    return silence_ms


class HearingTurn:
    """A recognition: from speech.context to turn.end."""

    def __init__(
        self,
        context: dict[str, Any],
        silence_ms: int | None,
        tell: Tell,
        violation: Violation,
    ) -> None:
        self._tell = tell
        self._violation = violation
        self._detailed = context.get("phraseOutput", {}).get("format") == "Detailed"
        self._events: list[Started | Result] = []
        self._ear = Ear(self._events.append, silence_ms or SEGMENTATION_MS)
        self._has_header = False
        self._bytes = 0
        self.hypotheses = 0

    async def audio(self, frame: Frame) -> bool:
        """Hear this. Whether it was the end of the audio, and the turn is over."""
        if "x-streamid" not in frame.headers:
            self._violation("audio without X-StreamId")
        body = frame.body
        assert isinstance(body, bytes)
        if not self._has_header:
            self._has_header = True
            body = self._after_header(frame, body)
        elif not body:
            await self._end()
            return True
        self._bytes += len(body)
        await self._ear.push(body)
        await self._tell_events()
        return False

    def _after_header(self, frame: Frame, body: bytes) -> bytes:
        is_wav = frame.headers.get("content-type") == "audio/x-wav" and len(body) >= _WAV.size
        head = _WAV.unpack_from(body) if is_wav else ()
        if head != (b"RIFF", b"WAVE", b"fmt ", 16, 1, 1, HEARING_RATE, 2 * HEARING_RATE, 2, 16):
            self._violation(f"the first audio is not the head of a WAV of PCM16 at 16 kHz: {head}")
        return body[44:]

    async def commit(self, token: str) -> None:
        """Make final what there is."""
        result = await self._ear.finalize()
        await self._tell_events()
        await self._phrase(result, {"X-Client-Commit-Token": token})

    async def _end(self) -> None:
        result = await self._ear.finalize()
        await self._tell_events()
        if result.text:
            await self._phrase(result)
        # Before the end of the audio this would have the SDK begin a new turn.
        end = self._bytes * 1000 * TICKS_PER_MS // (2 * HEARING_RATE)
        await self._tell("speech.endDetected", {"Offset": end})
        over = {"RecognitionStatus": "EndOfDictation", "Offset": end, "Duration": 0}
        await self._tell("speech.phrase", over)
        await self._tell("turn.end", {})

    async def _tell_events(self) -> None:
        while self._events:
            match self._events.pop(0):
                case Started(at_ms=at_ms):
                    await self._tell("speech.startDetected", {"Offset": _ticks(at_ms)})
                case Result(is_final=True) as result:
                    await self._phrase(result)
                case Result() as result:
                    self.hypotheses += 1
                    await self._tell("speech.hypothesis", {"Text": result.text, **_span(result)})

    async def _phrase(self, result: Result, metadata: dict[str, str] | None = None) -> None:
        phrase: dict[str, Any] = {"RecognitionStatus": "NoMatch", **_span(result)}
        if result.text:
            phrase |= {"RecognitionStatus": "Success", "DisplayText": result.text}
        if result.text and self._detailed:
            plain = {"Lexical": result.text.lower(), "ITN": result.text, "MaskedITN": result.text}
            phrase["NBest"] = [{"Confidence": 0.9, "Display": result.text, **plain}]
        if metadata is not None:
            phrase["clientAudioMetadata"] = metadata
        await self._tell("speech.phrase", phrase)


def text_of(ssml: str, violation: Violation) -> str:
    """What an SSML document says."""
    try:
        root = ElementTree.fromstring(ssml)
    except ElementTree.ParseError as error:
        violation(f"not SSML: {error}")
        return ""
    voices = root.findall(f"{_SSML}voice")
    if root.tag != f"{_SSML}speak" or root.get("version") != "1.0" or _XML_LANG not in root.attrib:
        violation("not an SSML document with its version and language")
    if len(voices) != 1 or not voices[0].get("name"):
        violation("SSML without a voice")
    return "".join(root.itertext())


async def speak(text: str, tell: Tell, send_audio: Callable[[bytes], Awaitable[None]]) -> None:
    """Speak a sentence: each word is told before its audio."""
    audio = {"type": "inline", "streamId": STREAM_ID}
    await tell("response", {"context": {"serviceTag": "contract"}, "audio": audio})
    spoken = 0
    async with aclosing(speech(text, SPEAKING_RATE)) as sentences:
        async for pcm, marks in sentences:
            for mark in marks:
                if boundary := _boundary(mark):
                    await tell("audio.metadata", {"Metadata": [boundary]})
            for begin in range(0, len(pcm), FRAME_BYTES):
                await send_audio(pcm[begin : begin + FRAME_BYTES])
                await asyncio.sleep(FRAME_SECONDS)
            spoken += len(pcm)
    end = {"Type": "SessionEnd", "Data": {"Offset": _ticks(spoken * 500 / SPEAKING_RATE)}}
    await tell("audio.metadata", {"Metadata": [end]})
    await tell("turn.end", {})


def _boundary(mark: Mark) -> dict[str, Any] | None:
    word = mark.word.strip('.,;:!?"“”()…')
    if not word:
        return None
    said = {"Text": word, "Length": len(word), "BoundaryType": "WordBoundary"}
    times = _times(mark.start_ms, mark.end_ms)
    return {"Type": "WordBoundary", "Data": {**times, "text": said}}


def _span(result: Result) -> dict[str, int]:
    if not result.text:
        return {"Offset": _ticks(result.start_ms), "Duration": 0}
    return _times(result.start_ms, result.end_ms)


def _times(start_ms: float, end_ms: float) -> dict[str, int]:
    return {"Offset": _ticks(start_ms), "Duration": _ticks(end_ms) - _ticks(start_ms)}


def _ticks(ms: float) -> int:
    return round(ms * TICKS_PER_MS)

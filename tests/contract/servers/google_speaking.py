"""Google's Text-to-Speech: what it checks, and how it speaks."""

import io
import re
import wave
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import grpc
from google.cloud.texttospeech_v1.types import cloud_tts as tts
from google.cloud.texttospeech_v1beta1.types import cloud_tts as beta

from contract.servers.voice import speech
from parley.marks import Mark

if TYPE_CHECKING:
    from contract.servers.google import GoogleServer

_STREAMED = re.compile(r"[a-z]{2,3}-[A-Z]{2}-Chirp3-HD-\w+")
_CLASSIC = re.compile(r"[a-z]{2,3}-[A-Z]{2}-(Standard|Wavenet|Neural2|Studio|News)-\w+")
_RATES = (8_000, 16_000, 24_000, 44_100, 48_000)


async def stream_spoken(
    server: "GoogleServer", requests: Any, context: Any
) -> AsyncIterator[tts.StreamingSynthesizeResponse]:
    """Speak each input of a StreamingSynthesize as it comes."""
    first = await context.read()
    if first is grpc.aio.EOF or "streaming_config" not in first:
        await server.refuse(context, "no configuration in the first message")
    server.check(first)
    server.opened.append(first)
    audio = first.streaming_config.streaming_audio_config
    if not _STREAMED.fullmatch(first.streaming_config.voice.name):
        await server.refuse(context, "only Chirp 3 HD voices stream")
    if audio.audio_encoding != tts.AudioEncoding.PCM or audio.sample_rate_hertz not in _RATES:
        await server.refuse(context, "streams are PCM, ALAW, MULAW or OGG_OPUS")
    while (request := await context.read()) is not grpc.aio.EOF:
        server.check(request)
        if "streaming_config" in request or not request.input.text:
            await server.refuse(context, "after the first message comes text")
        async with aclosing(speech(request.input.text, audio.sample_rate_hertz)) as pieces:
            async for pcm, _ in pieces:
                for begin in range(0, len(pcm), 9_600):
                    yield tts.StreamingSynthesizeResponse(audio_content=pcm[begin : begin + 9_600])


async def spoken(
    server: "GoogleServer", request: Any, context: Any
) -> beta.SynthesizeSpeechResponse:
    """Speak SSML, with the times of its marks."""
    server.opened.append(request)
    config = request.audio_config
    if not _CLASSIC.fullmatch(request.voice.name):
        await server.refuse(context, "only classic voices have marks")
    if not request.voice.language_code or config.sample_rate_hertz not in _RATES:
        await server.refuse(context, "no language, or no such rate")
    try:
        text, marks = _read(request.input.ssml)
    except ElementTree.ParseError:
        await server.refuse(context, "the SSML is not well-formed")
    pcm, words = b"", []
    async with aclosing(speech(text, config.sample_rate_hertz)) as pieces:
        async for piece, placed in pieces:
            pcm += piece
            words += placed
    wanted = beta.SynthesizeSpeechRequest.TimepointType.SSML_MARK in request.enable_time_pointing
    return beta.SynthesizeSpeechResponse(
        audio_content=_wav(pcm, config.sample_rate_hertz)
        if config.audio_encoding == beta.AudioEncoding.LINEAR16
        else pcm,
        timepoints=_timepoints(marks, words) if wanted else [],
        audio_config=config,
    )


def _read(ssml: str) -> tuple[str, list[tuple[str, int]]]:
    """The text of SSML, and its marks: name, and place in the text."""
    root = ElementTree.fromstring(ssml)
    if root.tag != "speak":
        raise ElementTree.ParseError
    text, marks = root.text or "", []
    for element in root:
        if element.tag != "mark":
            raise ElementTree.ParseError
        marks.append((element.attrib["name"], len(text)))
        text += element.tail or ""
    return text, marks


def _timepoints(marks: list[tuple[str, int]], words: list[Mark]) -> list[beta.Timepoint]:
    points = []
    for name, place in marks:
        word = next((word for word in words if word.offset >= place), None)
        ms = word.start_ms if word is not None else (words[-1].end_ms if words else 0.0)
        points.append(beta.Timepoint(mark_name=name, time_seconds=ms / 1000))
    return points


def _wav(pcm: bytes, rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(pcm)
    return file.getvalue()

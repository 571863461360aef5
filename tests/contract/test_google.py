"""Google Cloud, hearing and speaking: what is particular to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud.speech_v2.types import cloud_speech as v2
from google.protobuf.message import DecodeError

from contract.servers.base import RETRY_AFTER, Fault
from contract.servers.google import PROJECT, GoogleServer
from parley.audio import HEARING_RATE, bytes_for
from parley.google_cloud import GoogleSettings, access, error_from, machine_access
from parley.messages import Retry
from parley.providers import Cue, ProviderError, settings_for
from parley_stt.clouds.google_wire import Words, finals, host, interim
from parley_stt.providers import google_speech
from parley_stt.providers.google_speech import GoogleTranscriber
from parley_tts.clouds.google_wire import is_classic, language_of, marked, marks_from
from parley_tts.providers.google_voice import GoogleSynthesizer
from support.cloud_call import Call, calling
from support.recordings import part, recording
from support.words import word_error_rate

WHO = "Google"
errors: Any = exceptions  # untyped
errors_of_auth: Any = auth_exceptions
FIRST = "It was the best of times, it was the worst of times,"
SECOND = "it was the age of wisdom, it was the age of foolishness,"
SILENCE = bytes(bytes_for(1_000, HEARING_RATE))
SPEED = 4.0


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GoogleServer]:
    async with GoogleServer() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running
        await GoogleSynthesizer.shut_down()
    assert running.violations == []
    assert running.streams == 0


def transcriber(
    server: GoogleServer, language: str = "en-US", **settings: Any
) -> GoogleTranscriber:
    wanted = settings_for(GoogleTranscriber, {**server.settings(), **settings})
    return GoogleTranscriber(wanted, language)


def synthesizer(server: GoogleServer, **settings: Any) -> GoogleSynthesizer:
    wanted = settings_for(GoogleSynthesizer, {**server.settings(), **settings})
    return GoogleSynthesizer(wanted, "en-US")


def speech(start: float, end: float) -> bytes:
    return part(recording("two_cities.wav"), start, end)


# --- Hearing


async def test_each_finalize_ends_a_stream_and_the_next_goes_on(server: GoogleServer) -> None:
    async with calling(transcriber(server, "en-GB", phrases=["Darkness"])) as call:
        await call.say(speech(0, 4.6) + SILENCE, SPEED)
        first = await call.final()
        await call.say(speech(4.6, 8.4) + SILENCE, SPEED)
        await call.final()
    said = " ".join(final.message for final in call.finals)
    assert word_error_rate(f"{FIRST} {SECOND}", said) <= 0.35
    assert first.end_ms is None
    assert server.requests >= 2
    opened: v2.StreamingRecognizeRequest = server.opened[0]
    assert opened.recognizer == f"projects/{PROJECT}/locations/us/recognizers/_"
    config = opened.streaming_config.config
    assert (config.model, list(config.language_codes)) == ("chirp_3", ["en-GB"])
    phrases = config.adaptation.phrase_sets[0].inline_phrase_set.phrases
    assert [phrase.value for phrase in phrases] == ["Darkness"]


async def test_googles_limit_is_crossed_without_a_lost_word(
    server: GoogleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_speech, "STREAM_SECONDS", 2.0)
    monkeypatch.setattr(google_speech, "LONGEST_SECONDS", 6.0)
    server.stream_seconds = 6.5
    async with calling(transcriber(server)) as call:
        call.cue(Cue.SPEECH_STARTED)
        await call.say(speech(0, 8.4) + SILENCE, SPEED)
        await call.final()
    assert len(server.opened) >= 2
    assert word_error_rate(f"{FIRST} {SECOND}", call.text) <= 0.35


async def test_a_line_without_audio_ends_the_stream_before_google_does(
    server: GoogleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_speech, "IDLE_SECONDS", 0.3)
    server.idle_seconds = 5.0
    async with calling(transcriber(server)) as call:
        await call.say(speech(0, 4.6), SPEED)
        await call.until(lambda call: bool(call.finals))
        assert server.requests == 1
        await call.say(SILENCE[:6_400], SPEED)
        await call.final()
    assert word_error_rate(FIRST, call.text) <= 0.35
    assert call.finals[0].end_ms is not None
    assert server.requests == 2


async def test_who_leaves_tells_google(server: GoogleServer) -> None:
    async with calling(transcriber(server)) as call:
        await call.say(SILENCE)
        assert server.streams == 1
    async with asyncio.timeout(2):
        while server.streams:
            await asyncio.sleep(0.01)
    assert server.cancelled == 1


async def test_without_audio_there_is_no_stream(server: GoogleServer) -> None:
    call = Call()
    call.cue(Cue.FINALIZE)
    call.end()
    await transcriber(server).transcribe(call.audio(), call.emit)
    assert [final.message for final in call.finals] == [""]
    assert server.requests == 0


def result(
    text: str, end: float = 0.0, is_final: bool = False, confidence: float = 0.0
) -> v2.StreamingRecognitionResult:
    return v2.StreamingRecognitionResult(
        alternatives=[v2.SpeechRecognitionAlternative(transcript=text, confidence=confidence)],
        is_final=is_final,
        result_end_offset=timedelta(seconds=end),
    )


def test_the_parts_of_an_interim_result_belong_together() -> None:
    response = v2.StreamingRecognizeResponse(
        results=[result("to be", 1.0), result(" or not to be", 2.5)]
    )
    assert interim(response) == Words("to be or not to be", 2500.0)
    assert finals(response) == []


def test_a_final_and_what_comes_after_it_are_told_apart() -> None:
    response = v2.StreamingRecognizeResponse(
        results=[result(" To be.", 1.0, True, 0.75), result(" or")]
    )
    assert finals(response) == [Words("To be.", 1000.0, 0.75)]
    assert interim(response) == Words("or")
    empty = v2.StreamingRecognizeResponse(results=[v2.StreamingRecognitionResult(is_final=True)])
    assert finals(empty) == [Words("")]
    assert interim(empty) is None


def test_a_location_has_its_own_address() -> None:
    assert host("eu") == "eu-speech.googleapis.com"
    assert host("global") == "speech.googleapis.com"


# --- Speaking


async def spoken(voice: GoogleSynthesizer, text: str) -> tuple[bytes, Any]:
    speaking = await voice.create_speech(text)
    pcm = b"".join([chunk.chunk async for chunk in speaking.chunk_generator])
    return pcm, speaking


async def test_a_chirp_voice_streams(server: GoogleServer) -> None:
    pcm, speaking = await spoken(synthesizer(server, voice="en-GB-Chirp3-HD-Kore"), "Hello there.")
    assert speaking.duration_ms == pytest.approx(len(pcm) / 48)
    assert speaking.marks == []
    config = server.opened[0].streaming_config
    assert (config.voice.name, config.voice.language_code) == ("en-GB-Chirp3-HD-Kore", "en-GB")
    assert config.streaming_audio_config.sample_rate_hertz == speaking.sample_rate


async def test_a_classic_voice_tells_when_each_word_is_spoken(server: GoogleServer) -> None:
    voice = synthesizer(server, voice="en-US-Neural2-F", speed=1.25)
    assert voice.capabilities.gives_word_times
    text = "Tom & Anna are <here>, aren't they?"
    pcm, speaking = await spoken(voice, text)
    assert [mark.word for mark in speaking.marks] == text.split()
    assert all(text.startswith(mark.word, mark.offset) for mark in speaking.marks)
    times = [mark.start_ms for mark in speaking.marks]
    assert times == sorted(times)
    assert times[-1] < speaking.duration_ms == pytest.approx(len(pcm) / 48)
    assert server.opened[0].audio_config.speaking_rate == 1.25


async def test_what_has_no_words_is_not_sent(server: GoogleServer) -> None:
    for voice in ("en-US-Chirp3-HD-Kore", "en-US-Standard-A"):
        _, speaking = await spoken(synthesizer(server, voice=voice), " ")
        assert speaking.duration_ms == 0
    assert server.requests == 0


async def test_a_channel_is_shared_and_a_broken_one_mended(server: GoogleServer) -> None:
    voice = synthesizer(server)
    server.fault, server.faults_left = Fault.RESET, 1
    with pytest.raises(ProviderError) as failed:
        await spoken(voice, "Hello there.")
    assert failed.value.retry is Retry.NOW
    assert len((await spoken(voice, "Hello there."))[0]) > 0
    assert len(GoogleSynthesizer._channels) == 1


@pytest.mark.parametrize("voice", ["en-US-Chirp3-HD-Charon", "en-US-Neural2-F"])
async def test_who_does_not_wait_any_longer_tells_google(server: GoogleServer, voice: str) -> None:
    server.fault = Fault.SLOW
    speaking = await synthesizer(server, voice=voice).create_speech("Hello there.")
    first = asyncio.ensure_future(anext(speaking.chunk_generator))
    async with asyncio.timeout(5):
        while not server.streams:
            await asyncio.sleep(0.01)
        first.cancel()
        while server.streams:
            await asyncio.sleep(0.01)
    assert server.cancelled == 1


def test_ssml_is_well_formed_whatever_is_said() -> None:
    message = 'a <b> & "c" \x00\x1b\ud83d \U0001f600'
    root = ElementTree.fromstring(marked(message))
    assert [mark.get("name") for mark in root] == [str(n) for n in range(len(message.split()) + 1)]


def test_marks_are_the_words_from_one_timepoint_to_the_next() -> None:
    points = [("0", 0.1), ("2", 0.6), ("3", 1.0), ("junk", 2.0), ("99", 3.0)]
    marks = marks_from("One two, three.", points, 1200.0)
    # Google had no place for the mark of the second word.
    assert [(mark.word, mark.offset, mark.start_ms, mark.end_ms) for mark in marks] == [
        ("One", 0, 100.0, 600.0),
        ("three.", 9, 600.0, 1000.0),
    ]
    assert marks_from("One", [("0", 5.0)], 1200.0)[0].start_ms == 1200.0


@pytest.mark.parametrize(
    ("voice", "classic"),
    [
        ("en-US-Neural2-F", True),
        ("en-US-Wavenet-A", True),
        ("de-DE-Standard-B", True),
        ("en-US-Chirp3-HD-Charon", False),
        ("en-US-Chirp-HD-F", False),
        ("Charon", False),
    ],
)
def test_the_name_tells_what_a_voice_can_do(voice: str, classic: bool) -> None:
    assert is_classic(voice) is classic
    assert language_of(voice, "fr-FR") == ("fr-FR" if voice == "Charon" else voice[:5])


# --- Access and errors


@pytest.mark.parametrize(
    ("failure", "retry"),
    [
        (errors.Unauthenticated("x"), Retry.NEVER),
        (errors.PermissionDenied("x"), Retry.NEVER),
        (errors.InvalidArgument("x"), Retry.NEVER),
        (errors.NotFound("x"), Retry.NEVER),
        (errors.ResourceExhausted("x"), Retry.LATER),
        (errors.InternalServerError("x"), Retry.NOW),
        (errors.ServiceUnavailable("x"), Retry.NOW),
        (errors.Aborted("409"), Retry.NOW),
        (errors.OutOfRange("x"), Retry.NOW),
        (errors.DeadlineExceeded("x"), Retry.NOW),
        (errors_of_auth.RefreshError("a secret"), Retry.NEVER),
        (errors_of_auth.RefreshError("a secret", retryable=True), Retry.NOW),
        (DecodeError("a secret"), Retry.NOW),
        (TimeoutError(), Retry.NOW),
    ],
)
def test_an_error_says_whether_to_try_again(failure: Exception, retry: Retry) -> None:
    error = error_from(failure, WHO)
    assert error.retry is retry
    assert "secret" not in str(error)


async def test_a_busy_google_says_when_to_come_again(server: GoogleServer) -> None:
    server.fault = Fault.BUSY
    with pytest.raises(ProviderError) as failed:
        await spoken(synthesizer(server), "Hello.")
    assert (failed.value.retry, failed.value.retry_after) == (Retry.LATER, RETRY_AFTER)


@pytest.mark.parametrize("text", ["{oops", "[]", "{}", '{"type": "authorized_user"}'])
def test_what_is_no_service_account_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(text)
    with pytest.raises(ProviderError, match="service account") as refused:
        access(GoogleSettings(credentials=f"file:{path}"), WHO)
    assert refused.value.retry is Retry.NEVER
    assert "oops" not in str(refused.value)


def test_a_service_account_names_its_project(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    account = {
        "type": "service_account",
        "project_id": "a-project",
        "private_key": pem,
        "client_email": "a@example.org",
        "token_uri": "https://example.org/token",
    }
    path = tmp_path / "key.json"
    path.write_text(json.dumps(account))
    found = access(GoogleSettings(credentials=f"file:{path}"), WHO)
    assert found is not None
    assert (found.project, found.api_key, found.metadata) == ("a-project", None, ())
    assert "PRIVATE" not in repr(found)


async def test_a_machine_without_credentials_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_API_KEY", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    assert access(GoogleSettings(), WHO) is None
    with pytest.raises(ProviderError, match="GOOGLE_APPLICATION_CREDENTIALS") as refused:
        await machine_access(WHO)
    assert refused.value.retry is Retry.NEVER


def test_an_api_key_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(ProviderError, match="SOME_KEY"):
        access(settings_for_google(apiKey="env:SOME_KEY"), WHO)
    monkeypatch.setenv("SOME_KEY", "a secret")
    found = access(settings_for_google(apiKey="env:SOME_KEY"), WHO)
    assert found is not None
    assert found.metadata == (("x-goog-api-key", "a secret"),)
    assert "secret" not in repr(found)


def settings_for_google(**settings: str) -> GoogleSettings:
    return GoogleSettings.model_validate(settings)


async def test_hearing_needs_a_project(
    server: GoogleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT")
    call = Call()
    with pytest.raises(ProviderError, match="project") as refused:
        await transcriber(server).transcribe(call.audio(), call.emit)
    assert refused.value.retry is Retry.NEVER

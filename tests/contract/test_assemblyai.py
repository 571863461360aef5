"""AssemblyAI: what is particular to its protocol."""

import json
import logging
from typing import Any

import pytest

from contract.servers.assemblyai import AssemblyAIServer
from contract.servers.base import RETRY_AFTER, Fault
from parley.audio import HEARING_RATE, bytes_for
from parley.messages import Retry
from parley.providers import Cue, ProviderError, settings_for
from parley.statuses import error_of
from parley_stt.clouds.assemblyai_wire import error_of_code, parse
from parley_stt.providers.assemblyai_stream import AssemblyAITranscriber
from support.cloud_call import Call, calling
from support.recordings import part, recording
from support.words import word_error_rate

WHO = "AssemblyAI"
SAID = "It was the best of times, it was the worst of times, it was the age of wisdom."
SPEECH_SECONDS = 6.4
SILENCE = bytes(bytes_for(1_000, HEARING_RATE))
TURN = {
    "type": "Turn",
    "turn_order": 0,
    "turn_is_formatted": True,
    "end_of_turn": True,
    "transcript": "Hello.",
    "end_of_turn_confidence": 1.0,
    "words": [{"text": "Hello.", "start": 0, "end": 500, "confidence": 0.9, "word_is_final": True}],
}


def transcriber(
    server: AssemblyAIServer, patch: pytest.MonkeyPatch, language: str = "en-US", **settings: Any
) -> AssemblyAITranscriber:
    for name, value in server.environment().items():
        patch.setenv(name, value)
    wanted = settings_for(AssemblyAITranscriber, {**server.settings(), **settings})
    return AssemblyAITranscriber(wanted, language)


def speech() -> bytes:
    return part(recording("two_cities.wav"), 0, SPEECH_SECONDS)


async def say_turn(call: Call) -> None:
    call.cue(Cue.SPEECH_STARTED)
    await call.say(speech() + SILENCE[:6_400])
    call.cue(Cue.PAUSE)
    await call.say(SILENCE)


async def test_a_turn_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async with AssemblyAIServer() as server:
        provider = transcriber(server, monkeypatch, "en-GB", keyterms=["Darkness"])
        async with calling(provider) as call:
            await say_turn(call)
            await call.until(lambda call: call.turn_ends >= 2)
    assert word_error_rate(SAID, call.text) <= 0.35
    assert call.partials[0].confidence == pytest.approx(0.9)
    ends = [final.end_ms for final in call.finals]
    assert all(end is not None and 0 < end <= SPEECH_SECONDS * 1000 + 200 for end in ends)
    assert server.sessions == [
        {
            "sample_rate": HEARING_RATE,
            "encoding": "pcm_s16le",
            "speech_model": "universal-3-6-pro",
            "language_codes": ["en"],
            "keyterms_prompt": ["Darkness"],
            "continuous_partials": True,
        }
    ]
    assert server.violations == []


async def test_of_the_two_ends_of_an_unformatted_model_the_formatted_one_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = "universal-streaming-english"
    async with (
        AssemblyAIServer() as server,
        calling(transcriber(server, monkeypatch, model=model)) as call,
    ):
        await say_turn(call)
        await call.final()
    assert word_error_rate(SAID, call.text) <= 0.35
    assert call.text[0] == "I"
    assert call.partials[0].message == call.partials[0].message.lower()
    assert server.sessions[0]["format_turns"] is True
    assert server.violations == []


async def test_what_was_not_final_is_heard_again_and_nothing_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with AssemblyAIServer() as server:
        server.fault, server.faults_left = Fault.SILENT_STOP, 1
        async with calling(transcriber(server, monkeypatch)) as call:
            await say_turn(call)
            await call.final()
        assert server.requests == 2
    assert word_error_rate(SAID, call.text) <= 0.35
    places = [final.end_ms for final in call.finals if final.end_ms is not None]
    assert places == sorted(set(places))
    assert server.violations == []


async def test_silence_is_answered_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with AssemblyAIServer() as server:
        async with calling(transcriber(server, monkeypatch)) as call:
            # No whole number of messages: what is too short for one is filled up.
            await call.say(SILENCE[:22_222])
            final = await call.final(3)
        assert final.message == ""
        assert call.emitted == [final]
    assert server.messages[0] == {"type": "ForceEndpoint"}
    assert server.violations == []


async def test_the_last_words_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with AssemblyAIServer() as server:
        provider = transcriber(server, monkeypatch)
        call = Call()
        call.end()
        await provider.transcribe(call.audio(), call.emit)
    assert server.messages == [{"type": "Terminate"}]
    assert (server.streams, server.violations) == (0, [])


@pytest.mark.parametrize(
    ("fault", "retry", "retry_after"),
    [
        (Fault.UNAUTHORIZED, Retry.NEVER, None),
        (Fault.FORBIDDEN, Retry.NEVER, None),
        (Fault.BUSY, Retry.LATER, RETRY_AFTER),
        (Fault.BROKEN, Retry.NOW, None),
    ],
)
async def test_the_door_says_why_and_the_key_stays_secret(
    fault: Fault,
    retry: Retry,
    retry_after: float | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with AssemblyAIServer() as server:
        server.fault = fault
        provider = transcriber(server, monkeypatch)
        call = Call()
        with pytest.raises(ProviderError) as failed:
            await provider.transcribe(call.audio(), call.emit)
    assert (failed.value.retry, failed.value.retry_after) == (retry, retry_after)
    assert server.requests == (3 if retry is Retry.NOW else 1)
    assert server.key not in f"{failed.value!r} {failed.value.__cause__!r} {provider.settings!r}"
    assert server.key not in caplog.text


@pytest.mark.parametrize(
    "settings", [{"model": "nova-3"}, {"model": "universal-streaming-english"}]
)
async def test_a_model_must_be_known_and_speak_the_language(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AssemblyAIServer() as server:
        with pytest.raises(ProviderError, match=settings["model"]) as refused:
            transcriber(server, monkeypatch, "fr-FR", **settings)
    assert refused.value.retry is Retry.NEVER


async def test_without_a_key_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSEMBLYAI_API_KEY", raising=False)
    with pytest.raises(ProviderError, match="ASSEMBLYAI_API_KEY"):
        AssemblyAITranscriber(settings_for(AssemblyAITranscriber, {}), "en-US")


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        (1000, Retry.NOW),
        (1008, Retry.NEVER),
        (1013, Retry.LATER),
        (3005, Retry.NOW),
        (3006, Retry.NEVER),
        (3007, Retry.NOW),
        (3008, Retry.NOW),
        (3009, Retry.LATER),
        (4002, Retry.NEVER),
        (None, Retry.NOW),
        ("3006", Retry.NOW),
    ],
)
def test_a_code_says_whether_to_try_again(code: Any, retry: Retry) -> None:
    assert error_of_code(code, WHO).retry is retry
    with pytest.raises(ProviderError) as failed:
        parse(json.dumps({"type": "Error", "error_code": code, "error": "a secret"}), WHO)
    assert failed.value.retry is retry
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    "text",
    [
        "{oops",
        "[]",
        b"\xff",
        '{"type": 5}',
        '{"type": "Turn", "words": "none"}',
        json.dumps({**TURN, "type": "Heartbeat"}),
        json.dumps({**TURN, "turn_order": None}),
    ],
)
def test_what_is_not_understood_is_passed_over(text: str | bytes) -> None:
    assert parse(text, WHO) is None


def test_a_turn_is_understood_whatever_else_it_has() -> None:
    assert parse(json.dumps({**TURN, "something_new": 1}), WHO) is not None
    assert error_of(429, WHO).retry is Retry.LATER

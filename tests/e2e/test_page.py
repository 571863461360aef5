"""The page at `/`, in a real browser with a recording as its microphone, against a server of
the test's own: what crosses the wire, what is heard, what is shown."""

import asyncio
import importlib.util
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from playwright.async_api import expect
from scipy.signal import correlate, resample_poly

from support.browser import needs_chromium
from support.page_server import RATE, Open, Server, calling, pages, tone, until

pytestmark = [pytest.mark.browser, needs_chromium]

Samples = NDArray[np.float64]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server().running() as server:
        yield server


@pytest.fixture
async def open_page(server: Server) -> AsyncIterator[Open]:
    async with pages(server) as opener:
        yield opener


def recording() -> Samples:
    """Some seconds of a person speaking, at 44.1 kHz: the rate of Chromium's made-up device."""
    spec = importlib.util.find_spec("moonshine_voice")
    if spec is None or spec.origin is None:
        pytest.skip("the package moonshine_voice, which holds the recording, is not installed")
    path = Path(spec.origin).parent / "assets" / "beckett.wav"
    speech, rate = soundfile.read(path, frames=6 * 16_000)
    return np.asarray(resample_poly(speech, 44_100, rate), np.float64)


def likeness(got: Samples, wanted: Samples, rate: int, floor: float = 0.01) -> float:
    """How alike: the median, over the wanted audio's voiced seconds, of the best normalised
    correlation. By the second, since the made-up device now and then skips or repeats 10 ms.
    The same audio gives 1; other speech stays below 0.5."""
    scores = []
    energy = np.concatenate([[0.0], np.cumsum(got**2)])
    energy = np.maximum(energy[rate:] - energy[:-rate], 0)
    for start in range(0, len(wanted) - rate + 1, rate):
        part = wanted[start : start + rate]
        if np.sqrt(np.mean(part**2)) >= floor:
            found = correlate(got, part, "valid", method="fft")
            scores.append(np.max(found / (np.sqrt(energy * np.dot(part, part)) + 1e-3)))
    return float(np.median(scores))


async def test_the_microphone_arrives(server: Server, open_page: Open, tmp_path: Path) -> None:
    speech, wav = recording(), tmp_path / "speech.wav"
    soundfile.write(wav, np.concatenate([np.zeros(22_050), speech]), 44_100, subtype="PCM_16")
    page = await open_page(wav, query="aec=0&ns=0&agc=0&agent=anna&token=secret")
    await calling(server, page)
    began, before = time.monotonic(), len(server.audio)
    await until(lambda: len(server.audio) >= 7 * RATE * 2)
    seconds = (len(server.audio) - before) / (RATE * 2)
    assert seconds == pytest.approx(time.monotonic() - began, rel=0.1)
    assert server.frame_sizes == {960}
    assert server.query == {"sample_rate": "24000", "agent": "anna", "token": "secret"}
    got = np.frombuffer(bytes(server.audio), np.int16) / 32_768
    assert likeness(got, resample_poly(speech, 80, 147), RATE) >= 0.9


async def test_the_bot_is_heard_as_it_was_sent(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page)
    await server.say("speaking", turn=0)
    await expect(page.locator("#state")).to_have_text("Speaking")
    await server.play(tone(1.5))
    await until(lambda: max(server.reports(0), default=0) > 1400)
    await asyncio.sleep(0.3)
    await server.say("spoken", turn=0, text="Hello.", cut_off=False)
    await expect(page.locator("#transcript .bot")).to_have_text("Bot: Hello.")
    await expect(page.locator("#state")).to_have_text("Listening")
    levels = np.array(await page.evaluate("__levels"))
    assert levels[-1, 0] - levels[0, 0] == pytest.approx(1500, abs=100)
    assert np.median(levels[:, 1]) == pytest.approx(0.5 / np.sqrt(2), abs=0.02)
    assert np.max(np.diff(levels[:, 0])) < 150, "a gap in what was heard"
    reports = server.reports(0)
    assert reports == sorted(reports)
    assert reports[-1] == pytest.approx(1500, abs=100)


async def test_clear_silences_at_once(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page)
    await server.say("reply", turn=1, text="I was born in a small town by the sea.")
    await server.say("speaking", turn=1)
    playing = asyncio.create_task(server.play(tone(4)))
    await until(lambda: max(server.reports(1), default=0) > 800)
    playing.cancel()
    count = len(server.reports(1))
    await server.say("clear")
    await until(lambda: len(server.reports(1)) > count)
    await server.say("interrupted", turn=1)
    await server.say("spoken", turn=1, text="I was born", cut_off=True)
    await expect(page.locator("#transcript del")).to_have_text(" in a small town by the sea.")
    await asyncio.sleep(0.3)
    levels = np.array(await page.evaluate("__levels"))
    cleared = await page.evaluate("__events.find(([, event]) => event.type === 'clear')[0]")
    assert levels[-1, 0] - cleared < 100
    assert server.reports(1)[-1] == pytest.approx(levels[-1, 0] - levels[0, 0], abs=100)

    await server.say("speaking", turn=2)
    await server.play(tone(0.5))
    await until(lambda: max(server.reports(2), default=0) > 400)
    assert max(server.reports(2)) < 600, "a turn's count begins at nothing"


async def test_typing_and_interrupting(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page)
    await server.say("speech_started")
    for message, is_final in (("what is", False), ("What is it?", True)):
        await server.say("transcription", message=message, is_final=is_final, turn=1)
    await expect(page.locator("#transcript .caller")).to_have_text("You: What is it?")
    await expect(page.locator("#state")).to_have_text("Thinking…")
    await server.say("reply", turn=1, text="Well")
    await page.click("#interrupt")
    await server.received("interrupt")
    await page.fill("#text", "  tell me more ")
    await page.press("#text", "Enter")
    await server.received("text", text="tell me more")
    await expect(page.locator("#transcript .caller").last).to_have_text("You: tell me more")
    await page.click("#talk")
    await server.received("end")
    await expect(page.locator("#state")).to_have_text("Press to talk")


async def test_errors_are_shown(server: Server, open_page: Open) -> None:
    page = await open_page()
    notice = page.locator("#notice")
    await calling(server, page)
    await server.say("error", code="reply_failed", message="the model is away", fatal=False)
    await expect(notice).to_have_text("Error: the model is away")
    await expect(page.locator("#state")).to_have_text("Listening")
    await server.close()
    await expect(notice).to_contain_text("connection was lost")
    await expect(page.locator("#state")).to_have_text("Press to talk")
    await calling(server, page)
    await expect(notice).to_be_hidden()
    await server.say("error", code="unknown_agent", message="no agent 'anna'", fatal=True)
    await server.close()
    await expect(notice).to_have_text("Error: no agent 'anna'")


async def test_without_a_microphone_there_is_typing(server: Server, open_page: Open) -> None:
    page = await open_page(refused=True)
    await page.fill("#text", "hello")
    await page.click("#send")
    await server.answer()
    await server.received("text", text="hello")
    await expect(page.locator("#notice")).to_contain_text("microphone was not allowed")
    await server.say("speaking", turn=1)
    await server.play(tone(0.3))
    await until(lambda: max(server.reports(1), default=0) > 200)
    assert not server.audio

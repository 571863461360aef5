"""The page in a real browser, with the whole engine behind it and a person at the microphone."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.async_api import expect

from support import recordings
from support.browser import chromium, needs_chromium
from support.engine import Engine

pytestmark = [pytest.mark.engine, pytest.mark.browser, needs_chromium, pytest.mark.timeout(180)]

RATE = 44_100


async def test_a_person_talks_through_the_page(engine: Engine, tmp_path: Path) -> None:
    speech = np.frombuffer(recordings.recording("clone-test.wav", RATE), "<i2")
    wav = tmp_path / "microphone.wav"
    soundfile.write(wav, np.concatenate([np.zeros(RATE, np.int16), speech]), RATE)
    port = engine.service("gateway").port
    async with chromium(wav) as browser:
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{port}/?agent=one")
        await page.click("#talk")
        await expect(page.locator("#transcript .caller")).to_contain_text("America", timeout=40_000)
        await expect(page.locator("#state")).to_have_text("Speaking", timeout=20_000)
        await page.fill("#text", "And tomorrow?")
        await page.click("#send")
        await expect(page.locator("#transcript del").first).to_contain_text("building")
        await expect(page.locator("#transcript .bot").last).to_have_text(
            "Bot: The museum in the old harbour opens every morning at nine and it closes again "
            "when the last visitor has left the building.",
            timeout=30_000,
        )
        await page.click("#talk")
        await expect(page.locator("#state")).to_have_text("Press to talk")

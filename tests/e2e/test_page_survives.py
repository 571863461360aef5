"""The page in a real browser, with the whole engine behind it, and its gateway killed."""

import base64
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.async_api import Page, expect

from support import listener, words
from support.browser import chromium, needs_chromium
from support.engine import FIVE_SENTENCES, Engine

pytestmark = [pytest.mark.engine, pytest.mark.browser, needs_chromium, pytest.mark.timeout(240)]

RATE = 44_100
RECORDER = """
(() => {
  window.__played = [];
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode) {
      window.__rate = this.context.sampleRate;
      const tap = this.context.createScriptProcessor(4096, 1, 1);
      tap.onaudioprocess = ({ inputBuffer }) => {
        const block = inputBuffer.getChannelData(0);
        if (block.every((x) => x === 0)) return;
        window.__played.push(Int16Array.from(block, (x) => x * 32767));
      };
      connect.call(this, tap);
      connect.call(tap, target);
      return target;
    }
    return connect.call(this, target, ...rest);
  };
})();
"""
PLAYED = """() => {
  const text = (block) => String.fromCharCode(...new Uint8Array(block.buffer));
  return [window.__rate, btoa(window.__played.map(text).join(""))];
}"""


async def test_the_talk_goes_on_when_the_gateway_is_killed(engine: Engine, tmp_path: Path) -> None:
    silence = tmp_path / "microphone.wav"
    soundfile.write(silence, np.zeros(RATE, np.int16), RATE)
    gateway = engine.service("gateway")
    async with chromium(silence) as browser:
        page = await browser.new_page()
        await page.add_init_script(RECORDER)
        await page.goto(f"http://127.0.0.1:{gateway.port}/?agent=five")
        await page.click("#talk")
        await shows(page, "Listening")
        await page.fill("#text", "Tell me about the museum.")
        await page.press("#text", "Enter")
        await shows(page, "Speaking")
        await page.wait_for_timeout(4000)
        gateway.stop(signal.SIGKILL)
        await shows(page, "Connection lost, reconnecting…")
        engine.start("gateway", PARLEY_PORT=str(gateway.port))
        await shows(page, "Speaking")
        await shows(page, "Listening")
        await expect(page.locator("#transcript .bot")).to_have_text(f"Bot: {FIVE_SENTENCES}")
        rate, played = await page.evaluate(PLAYED)
        await page.fill("#text", "And now?")
        await page.press("#text", "Enter")
        await shows(page, "Speaking")
    heard = listener.listen(base64.b64decode(played), int(rate))
    assert words.word_error_rate(FIVE_SENTENCES, heard) <= 0.1, heard


async def shows(page: Page, state: str) -> None:
    await expect(page.locator("#state")).to_have_text(state, timeout=60_000)

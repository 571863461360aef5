"""A real browser whose microphone is a WAV file: the system's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on PATH (set CHROMIUM to its path)"
)


@asynccontextmanager
async def chromium(wav: Path | None = None, refused: bool = False) -> AsyncIterator[Browser]:
    """A browser. Its microphone plays `wav` once (best at 44.1 kHz), or beeps, or is refused."""
    flags = ["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream"]
    flags.append("--autoplay-policy=no-user-gesture-required")
    flags.append("--deny-permission-prompts" if refused else "--use-fake-ui-for-media-stream")
    if wav is not None:
        flags.append(f"--use-file-for-fake-audio-capture={wav}%noloop")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            yield browser
        finally:
            await browser.close()

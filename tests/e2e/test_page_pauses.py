"""The page while the bot is paused: what is heard, counted and shown."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
from playwright.async_api import Page, expect

from support.browser import needs_chromium
from support.page_server import RATE, Open, Server, calling, pages, tone, until

pytestmark = [pytest.mark.browser, needs_chromium]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server().running() as server:
        yield server


@pytest.fixture
async def open_page(server: Server) -> AsyncIterator[Open]:
    async with pages(server) as opener:
        yield opener


async def shows(page: Page, state: str) -> None:
    await expect(page.locator("#state")).to_have_text(state)


async def pause(server: Server, turn: int) -> float:
    """Pause the bot; how much (ms) of the turn the page says was heard."""
    count = len(server.reports(turn))
    await server.say("clear")
    await server.say("paused", turn=turn)
    await until(lambda: len(server.reports(turn)) > count)
    return server.reports(turn)[-1]


async def hear(server: Server, message: str, turn: int, is_final: bool = True) -> None:
    await server.say("transcription", message=message, is_final=is_final, turn=turn)


async def test_the_bot_goes_on_where_the_server_says(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page, resume_token="r")
    voice = tone(2)
    await server.say("speaking", turn=1)
    await server.play(voice[: RATE * 2])
    await until(lambda: max(server.reports(1), default=0) > 500)
    stopped = await pause(server, 1)
    await shows(page, "Listening")
    await expect(page.locator("#interrupt")).to_be_enabled()
    again = stopped - 200
    server.messages.clear()
    await server.say("resumed", turn=1, ms=again)
    await shows(page, "Speaking")
    await server.play(voice[round(again * RATE / 1000) * 2 : 3 * RATE])
    await until(lambda: max(server.reports(1), default=0) > 1400)
    sound = np.array(await page.evaluate("__levels"))
    silent = (pauses := np.diff(sound[:, 0]))[pauses > 50].sum()
    assert sound[-1, 0] - sound[0, 0] - silent == pytest.approx(1700, abs=200)
    await server.close(1012)
    await server.connected()
    assert server.query["heard_turn"] == "1"
    assert float(server.query["heard_ms"]) == pytest.approx(1500, abs=10)


async def test_words_that_take_no_turn_are_shown_lightly(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page)
    await hear(server, "Who are you?", turn=1)
    await shows(page, "Thinking…")
    await server.say("reply", turn=1, text="I am a machine that talks.")
    await server.say("speaking", turn=1)
    await server.say("clear")
    await server.say("paused", turn=1)
    await hear(server, "mh", turn=2, is_final=False)
    await hear(server, "Mhm.", turn=2)
    await server.say("resumed", turn=1, ms=300)
    await server.say("backchannel", message="Mhm.", turn=1)
    await expect(page.locator("#transcript .backchannel")).to_have_text("You: Mhm.")
    await shows(page, "Speaking")
    await server.say("spoken", turn=1, text="I am a machine that talks.", cut_off=False)
    await shows(page, "Listening")
    await hear(server, "And now?", turn=2)
    await shows(page, "Thinking…")
    said = page.locator("#transcript li")
    await expect(said).to_have_text(
        ["You: Who are you?", "Bot: I am a machine that talks.", "You: Mhm.", "You: And now?"]
    )
    await expect(page.locator("#transcript .caller")).to_have_count(2)


async def test_a_nod_after_the_last_word_asks_nothing(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page)
    await server.say("speaking", turn=0)
    await server.say("spoken", turn=0, text="Hello.", cut_off=False)
    await hear(server, "Mhm.", turn=1)
    await shows(page, "Thinking…")
    await server.say("backchannel", message="Mhm.", turn=0)
    await shows(page, "Listening")


async def test_a_nod_before_the_first_word(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page)
    await hear(server, "Who are you?", turn=1)
    await server.say("speech_started")
    await shows(page, "Listening")
    await hear(server, "Mhm.", turn=2)
    await server.say("backchannel", message="Mhm.", turn=1)
    await expect(page.locator("#transcript .backchannel")).to_have_text("You: Mhm.")
    await expect(page.locator("#transcript .caller")).to_have_text("You: Who are you?")
    await shows(page, "Thinking…")
    await server.say("reply", turn=1, text="I am a machine.")
    await server.say("speaking", turn=1)
    await shows(page, "Speaking")
    await server.say("spoken", turn=1, text="I am a machine.", cut_off=False)
    await shows(page, "Listening")


async def test_words_that_interrupt_are_a_turn(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page)
    await server.say("reply", turn=0, text="Hello, how are you?")
    await server.say("speaking", turn=0)
    await server.say("clear")
    await server.say("paused", turn=0)
    await hear(server, "No, stop.", turn=1)
    await server.say("clear")
    await server.say("interrupted", turn=0)
    await server.say("spoken", turn=0, text="Hello,", cut_off=True)
    await shows(page, "Thinking…")
    await expect(page.locator("#transcript .caller")).to_have_text("You: No, stop.")
    await expect(page.locator("#transcript del")).to_have_text(" how are you?")


async def test_a_caller_who_was_silent_for_long(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page, resume_token="r")
    await server.say("end", reason="idle")
    await server.close(1000)
    await expect(page.locator("#notice")).to_contain_text("You said nothing for a while")
    await shows(page, "Press to talk")

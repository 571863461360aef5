"""The page when its connection breaks: it makes another one, and the talk goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Page, expect

from support.browser import needs_chromium
from support.page_server import RATE, Open, Server, calling, pages, tone, until

pytestmark = [pytest.mark.browser, needs_chromium]

RECONNECTING = "Connection lost, reconnecting…"
SERVICE_RESTART = 1012


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server().running() as server:
        yield server


@pytest.fixture
async def open_page(server: Server) -> AsyncIterator[Open]:
    async with pages(server) as opener:
        yield opener


async def shows(page: Page, state: str) -> None:
    await expect(page.locator("#state")).to_have_text(state, timeout=15_000)


def seconds(audio: bytearray) -> float:
    return len(audio) / (2 * RATE)


async def test_the_callers_audio_goes_on_from_the_very_sample(
    server: Server, open_page: Open
) -> None:
    page = await open_page(query="agent=anna&token=secret")
    await calling(server, page, resume_token="r")
    began = time.monotonic()
    await until(lambda: seconds(server.audio) > 1)
    await server.close(SERVICE_RESTART)
    await shows(page, RECONNECTING)
    await server.connected()
    assert {name: server.query[name] for name in ("resume", "audio_ms", "agent", "token")} == {
        "resume": "r",
        "audio_ms": "0",
        "agent": "anna",
        "token": "secret",
    }
    await asyncio.sleep(2)
    await server.say("ready", resumed=True, resume_token="r2", audio_from_ms=500.125)
    await shows(page, "Listening")
    # What was captured in the meantime comes too: without it, the audio would stay behind.
    await until(lambda: seconds(server.audio) > time.monotonic() - began - 0.5 - 1)
    first, second = (bytes(audio) for audio in server.heard)
    overlap = first[2 * round(500.125 * RATE / 1000) :]
    assert any(overlap) and second[: len(overlap)] == overlap

    await server.close(SERVICE_RESTART)
    await server.connected()
    assert server.query["resume"] == "r2"
    await server.say("ready", resumed=True, audio_from_ms=500.125)
    await until(lambda: len(server.audio) >= len(second))
    assert bytes(server.audio[: len(second)]) == second


async def test_the_bot_is_heard_to_the_end(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page, resume_token="r")
    voice = tone(2.5)
    await server.say("reply", turn=1, text="I was born in a small town")
    await server.say("speaking", turn=1)
    await server.play(voice[: RATE * 2])
    await server.close(SERVICE_RESTART)
    await server.connected()
    heard = float(server.query["heard_ms"])
    assert server.query["heard_turn"] == "1" and 500 < heard <= 1000
    server.messages.clear()
    await server.say("ready", resumed=True, resume_token="r2", audio_from_ms=0.0)
    await server.say("reply", turn=1, text="in a small town by the sea.")
    await server.say("speaking", turn=1)
    await shows(page, "Speaking")
    await server.play(voice[round(heard * RATE / 1000) * 2 :])
    rest = 2500 - heard
    await until(lambda: max(server.reports(1), default=0) > rest - 100)
    await expect(page.locator("#transcript .bot")).to_have_text(
        "Bot: I was born in a small town by the sea."
    )
    await asyncio.sleep(0.3)
    assert max(server.reports(1)) <= rest + 1, "each connection counts from where it went on"
    sound = np.array(await page.evaluate("__levels"))
    pauses = np.diff(sound[:, 0])
    silent = pauses[pauses > 50].sum()
    assert sound[-1, 0] - sound[0, 0] - silent == pytest.approx(2500, abs=200)


async def test_what_is_there_plays_on_while_nobody_answers(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page, resume_token="r")
    await server.say("speaking", turn=1)
    await server.play(tone(0.5))
    server.refusing = True
    await server.close(SERVICE_RESTART)
    await until(lambda: server.refused >= 5)
    await shows(page, RECONNECTING)
    await page.fill("#text", "Are you there?")
    await page.press("#text", "Enter")
    server.refusing = False
    await server.connected()
    assert float(server.query["heard_ms"]) == pytest.approx(500, abs=2)
    await server.say("ready", resumed=True, audio_from_ms=0.0)
    await server.received("text", text="Are you there?")
    await shows(page, "Thinking…")


@pytest.mark.parametrize(
    ("code", "close_code"), [("draining", 4504), ("internal_error", 1011), ("no_capacity", 4503)]
)
async def test_a_server_that_stops_is_not_the_end(
    server: Server, open_page: Open, code: str, close_code: int
) -> None:
    page = await open_page(refused=True)
    await page.fill("#text", "hello")
    await page.press("#text", "Enter")
    await server.answer(resume_token="r")
    await server.received("text", text="hello")
    await server.say("error", code=code, message="bye", fatal=True, retry_after_ms=20)
    await server.say("end", reason=code)
    await server.close(close_code, code)
    await server.connected()
    assert "heard_turn" not in server.query
    await server.say("error", code="no_capacity", message="full", fatal=True, retry_after_ms=20)
    await server.close(4503, "no_capacity")
    await server.resume()
    await shows(page, "Thinking…")
    assert "microphone" in (await page.locator("#notice").text_content() or "")


@pytest.mark.parametrize(
    ("error", "notice"),
    [
        ({"code": "not_resumable", "message": "too late"}, "connection was lost for too long"),
        ({"code": "bad_format", "message": "not so"}, "Error: not so"),
        (None, "connection was lost. Press"),
    ],
)
async def test_a_call_that_cannot_be_resumed_is_over(
    server: Server, open_page: Open, error: dict[str, Any] | None, notice: str
) -> None:
    page = await open_page()
    await calling(server, page, resume_token="r")
    await server.close(SERVICE_RESTART)
    await server.connected()
    if error is None:  # a server that knows new calls only
        await server.say("ready", resume_token="other")
    else:
        await server.say("error", fatal=True, **error)
        await server.close(4410)
    await expect(page.locator("#notice")).to_contain_text(notice)
    await shows(page, "Press to talk")


async def test_a_server_that_falls_silent_is_given_up(server: Server, open_page: Open) -> None:
    page = await open_page(refused=True)
    await page.clock.install()
    await page.fill("#text", "hello")
    await page.press("#text", "Enter")
    await server.answer(resume_token="r")
    await server.received("text", text="hello")
    await page.clock.fast_forward(10_000)
    await server.received("ping")
    await page.clock.fast_forward(10_000)
    await server.connected()
    assert server.query["resume"] == "r"
    await until(lambda: server.closes)
    assert server.closes[0] not in (1000, 1005), "it did not hang up"
    await server.say("ready", resumed=True, resume_token="r2", audio_from_ms=0.0)
    await shows(page, "Thinking…")


async def test_hanging_up_while_the_connection_is_lost(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page, resume_token="r")
    server.refusing = True
    await server.close(SERVICE_RESTART)
    await until(lambda: server.refused >= 2)
    await page.click("#talk")
    await shows(page, "Press to talk")
    server.refusing = False
    await calling(server, page)
    assert "resume" not in server.query


async def test_a_reply_that_is_written_anew(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page)
    await server.say("reply", turn=1, text="I was born")
    await server.say("reply", turn=1, text="It is", restart=True)
    await server.say("reply", turn=1, text=" noon.")
    await expect(page.locator("#transcript .bot")).to_have_text("Bot: It is noon.")


async def test_a_held_call(server: Server, open_page: Open) -> None:
    page = await open_page()
    await calling(server, page)
    await server.say("holding", reason="no bus")
    await shows(page, "One moment, please…")
    await server.say("back")
    await shows(page, "Listening")


PLAY_QUEUE = """async () => {
  const { PlayQueue } = await import("/static/play-queue.js");
  const queue = new PlayQueue(1000);  // a sample is a millisecond
  const push = (from, to) => { for (let i = from; i < to; i++) queue.push(i); };
  const pull = (count) => {
    const out = new Float32Array(count);
    queue.pull(out);
    return [...out].filter((sample) => sample !== 0);
  };
  const results = {};
  queue.begin(1);
  push(1, 401);
  results.before = pull(100);
  results.held = queue.hold();
  results.silent = pull(50);
  queue.release();
  results.on = pull(100);
  results.again = queue.hold();
  queue.restart();
  results.counted = queue.playedMs;
  queue.begin(1);
  push(201, 401);
  results.rest = pull(400);
  results.end = queue.playedMs;
  queue.begin(2);
  push(1, 101);
  queue.finish();
  results.over = queue.hold();
  queue.restart();
  results.tail = pull(200);
  queue.begin(5);
  push(1, 301);
  results.first = pull(100);
  queue.clear();
  results.faded = pull(50).length;
  results.stopped = queue.playedMs;
  queue.begin(5, 70);
  push(71, 301);
  results.again70 = pull(100);
  results.counted170 = queue.playedMs;
  results.held170 = queue.hold();
  queue.restart();
  queue.begin(3);
  push(1, 101);
  queue.begin(4);
  push(101, 201);
  results.next = queue.hold();
  results.old = pull(300);
  return results;
}"""


async def test_not_a_sample_is_heard_twice_or_lost(open_page: Open) -> None:
    page = await open_page()
    found = await page.evaluate(PLAY_QUEUE)
    assert found["before"] == list(range(1, 101)) and found["held"] == 100
    assert found["silent"] == []
    assert found["on"] == list(range(101, 201)) and found["again"] == 200
    assert found["counted"] == 0, "what goes on is counted anew"
    assert found["rest"] == list(range(201, 401)) and found["end"] == 200
    assert found["over"] == 100 and found["tail"] == list(range(1, 101)), "a turn that is over"
    assert found["first"] == list(range(1, 101)), "a turn that is paused"
    assert found["faded"] < 5 and found["stopped"] == pytest.approx(100, abs=5)
    assert found["again70"] == list(range(71, 171)), "and goes on"
    assert found["counted170"] == found["held170"] == 170
    assert found["next"] == 0 and found["old"] == list(range(1, 101)), "the turn before"


KEPT_AUDIO = """async () => {
  const { KeptAudio } = await import("/static/kept-audio.js");
  const kept = new KeptAudio(1000);
  const take = () => {
    const taken = [];
    for (let piece; (piece = kept.next()); ) taken.push(...piece);
    return taken;
  };
  const frame = (at) => Int16Array.from({ length: 17 }, (_, i) => at + i);
  for (let at = 0; at < 24990; at += 17) kept.add(frame(at));
  const offered = kept.offerMs;
  kept.goOn(offered + 0.4);
  return { offered, captured: kept.captured, taken: take(), more: take() };
}"""


async def test_the_last_seconds_are_kept(open_page: Open) -> None:
    page = await open_page()
    found = await page.evaluate(KEPT_AUDIO)
    assert found["offered"] == found["captured"] - 9000
    assert found["taken"] == list(range(found["offered"], found["captured"]))
    assert found["more"] == []

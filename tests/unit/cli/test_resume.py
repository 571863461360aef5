"""Which lost connections a call gets over, and how; what the caller does meanwhile."""

import asyncio
import time

import pytest
from unit.cli.line import Line, answering, dies, goes_on, in_turn, silent

from parley_cli import ports
from parley_cli.call import Call, CallEnded, CallRefused, Options, connect


@pytest.mark.parametrize(
    ("code", "close_code"),
    [("", 1011), ("", 1012), ("draining", 4504), ("internal_error", 1011), ("no_capacity", 4503)],
)
async def test_a_server_that_stops_is_not_the_end(code: str, close_code: int) -> None:
    async def stops(line: Line) -> None:
        await line.ready()
        if code:
            await line.say("error", code=code, message="bye", fatal=True, retry_after_ms=100)
            await line.say("end", reason=code)
        await line.socket.close(close_code, code)

    async with answering(in_turn(stops, goes_on)) as (url, lines), connect(url) as call:
        ready = await call.wait_for("ready", resumed=True)
        (lost,) = [one for one in call.events if one.type == "connection_lost"]
        assert ready.at - lost.at >= (0.1 if code else 0)
        assert call.reconnects[0].lost_at <= call.reconnects[0].ready_at == ready.at
        assert lines[1].query["resume"] == "r" and lines[1].query["agent"] == "default"
        await call.end(0.5)


@pytest.mark.parametrize(
    ("code", "close_code", "why"),
    [
        ("hang_up", 1000, "hang_up"),
        ("idle", 1000, "you said nothing"),
        ("too_long", 4408, "too_long"),
        ("resumed_elsewhere", 4409, "resumed_elsewhere"),
    ],
)
async def test_a_call_that_the_server_ends_is_over(code: str, close_code: int, why: str) -> None:
    async def ends(line: Line) -> None:
        await line.ready()
        await line.say("end", reason=code)
        await line.socket.close(close_code, code)

    async with answering(ends) as (url, lines), connect(url) as call:
        with pytest.raises(CallEnded, match=why):
            await call.wait_for("never")
        assert call.close_code == close_code
    assert len(lines) == 1


@pytest.mark.parametrize("resumable", [True, False])
async def test_without_a_token_or_the_wish_a_loss_is_the_end(resumable: bool) -> None:
    async def killed(line: Line) -> None:
        await line.ready(**({} if resumable else {"resume_token": None}))
        line.drop()

    options = Options(reconnect=not resumable)
    async with answering(killed) as (url, lines), connect(url, options) as call:
        with pytest.raises(CallEnded, match="closed the connection"):
            await call.wait_for("never")
    assert len(lines) == 1


async def test_the_client_can_break_the_connection_itself() -> None:
    async with answering(in_turn(silent, goes_on)) as (url, _), connect(url) as call:
        call.drop()
        await call.wait_for("ready", resumed=True)
        assert call.connected
        await call.end(0.5)


async def test_the_newest_token_is_shown() -> None:
    async def dies_again(line: Line) -> None:
        await line.resume()
        line.drop()

    async with answering(in_turn(dies, dies_again, goes_on)) as (url, lines), connect(url) as call:
        await call.until(lambda: len(call.reconnects) == 2, 5)
        await call.end(0.5)
    assert [line.query.get("resume") for line in lines] == [None, "r", "r2"]


async def test_a_server_that_comes_back_on_the_same_port() -> None:
    port = ports.free()
    async with answering(dies, port) as (url, _):
        calling = connect(url)
        call = await calling.__aenter__()
        await call.wait_for("connection_lost")
    await asyncio.sleep(0.3)
    assert not call.connected
    async with answering(goes_on, port):
        await call.wait_for("ready", resumed=True)
        assert call.reconnects[0].ready_at - call.reconnects[0].lost_at >= 0.3
        await call.end(0.5)
        await calling.__aexit__(None, None, None)


async def test_the_next_of_several_addresses_is_asked() -> None:
    nobody = f"ws://127.0.0.1:{ports.free()}/conversation"
    async with answering(dies) as (one, _), answering(goes_on) as (other, lines):
        async with connect([nobody, one, other]) as call:
            await call.wait_for("ready", resumed=True)
            await call.end(0.5)
        assert len(lines) == 1


async def test_a_fresh_call_goes_to_the_first_address_that_takes_it() -> None:
    async def full(line: Line) -> None:
        await line.refuse("no_capacity", 4503)

    async def wrong(line: Line) -> None:
        await line.refuse("unknown_agent", 4404)

    async with answering(full) as (one, _), answering(silent) as (other, lines):
        async with connect(f"{one},{other}") as call:
            await call.end(0.5)
        assert len(lines) == 1
    async with answering(wrong) as (one, _), answering(silent) as (other, lines):
        with pytest.raises(CallRefused, match="unknown_agent"):
            async with connect(f"{one},{other}"):
                pass
        assert not lines


# --- Where it does not work out


async def ended(call: Call, why: str) -> None:
    async with asyncio.timeout(10):
        with pytest.raises(CallEnded, match=why):
            await call.wait_for("never", timeout=20)
    error = call.events[-1]
    assert error.type == "error" and error.data["fatal"]


@pytest.mark.parametrize(
    ("code", "close_code"), [("not_resumable", 4410), ("unauthorized", 4401), ("bad_format", 4400)]
)
async def test_a_refusal_to_resume_ends_the_call(code: str, close_code: int) -> None:
    async def refuses(line: Line) -> None:
        await line.refuse(code, close_code)

    async with answering(in_turn(dies, refuses)) as (url, lines), connect(url) as call:
        await ended(call, f"refused: {code}")
        assert call.events[-1].data["code"] == code
    assert len(lines) == 2


async def test_a_server_that_only_knows_new_calls() -> None:
    async with answering(in_turn(dies, silent)) as (url, _), connect(url) as call:
        await ended(call, "does not know the call any more")


async def test_no_capacity_is_waited_for() -> None:
    async def full(line: Line) -> None:
        await line.refuse("no_capacity", 4503, retry_after_ms=200)

    async with answering(in_turn(dies, full, goes_on)) as (url, _), connect(url) as call:
        await call.wait_for("ready", resumed=True)
        assert call.reconnects[0].ready_at - call.reconnects[0].lost_at >= 0.2
        assert not [one for one in call.events if one.type == "error"]
        await call.end(0.5)


@pytest.mark.parametrize("server_says", [True, False])
async def test_nobody_ever_comes_back(server_says: bool) -> None:
    async def dies_for_good(line: Line) -> None:
        await line.ready(**({"resume_seconds": 0.5} if server_says else {}))
        line.drop()

    options = Options() if server_says else Options(reconnect_seconds=0.5)
    async with answering(dies_for_good) as (url, _):
        calling = connect(url, options)
        call = await calling.__aenter__()
        await call.wait_for("connection_lost")
    await ended(call, r"not to be had again in 0\.5 s")
    await calling.__aexit__(None, None, None)


# --- The caller meanwhile


async def test_what_is_typed_meanwhile_is_sent_afterwards() -> None:
    async def slowly(line: Line) -> None:
        await asyncio.sleep(0.2)
        await goes_on(line)

    async with answering(in_turn(dies, slowly)) as (url, lines), connect(url) as call:
        await call.wait_for("connection_lost")
        await call.text("are you there?")
        assert call.connected
        await call.end(0.5)
    assert {"type": "text", "text": "are you there?"} in lines[1].messages


async def test_hanging_up_meanwhile() -> None:
    async def never(line: Line) -> None:
        await line.socket.wait_closed()

    async with answering(in_turn(dies, never)) as (url, _), connect(url) as call:
        await call.wait_for("connection_lost")
        await call.end()
        assert call.over
        began = time.monotonic()
    assert time.monotonic() - began < 4

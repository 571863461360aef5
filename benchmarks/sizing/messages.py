"""What a message costs NATS's servers, open and locked, alone and in a cluster of three.

Gateways and workers send what has gathered while they did something else: a few messages at a
time, over one connection each. Hundreds at once would cost a server less for each, one alone more;
and the busier it is, the less a message costs.
"""

import asyncio
import statistics
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from parley import subjects
from parley.bus import Bus
from parley.config import ServiceConfig
from support.nats import NatsCluster, NatsServer
from support.secured import SecuredNats

FEW, MANY = 8, 24
"""Connections that send, each a thousand messages a second, and as many that receive. Many are as
many as two cores can serve besides the server; the more there are, the less a message costs."""
AT_ONCE = 3
EACH_SECONDS = 0.003
SECONDS = 3.0
ROUNDS = 3
FRAME = bytes(980)
"""20 ms of a caller's audio at 24 kHz, with its header."""
RECORD = bytes(4_000)
WRITES = 3_000
WRITERS = 32


async def measure(folder: Path) -> dict[str, float]:
    """Microseconds of processor, of all servers together; and records a second. Medians."""
    rounds = [await _measure(folder / str(number)) for number in range(ROUNDS)]
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


async def _measure(folder: Path) -> dict[str, float]:
    found = {}
    for name, server in (
        ("open", NatsServer(jetstream=False)),
        ("keys", SecuredNats(_made(folder / "keys"))),
        ("tls", SecuredNats(_made(folder / "tls"), tls=True)),
    ):
        server.start()
        try:
            found[f"message_{name}_us"] = await _alone(server, MANY)
            if name == "keys":
                found["message_few_us"] = await _alone(server, FEW)
        finally:
            server.stop()
    with NatsCluster(3) as cluster:
        urls = [node.url for node in cluster.nodes]
        found["message_near_us"] = await _message(_at(urls[0]), _at(urls[0]), FEW)
        found["message_far_us"] = await _message(_at(urls[0]), _at(urls[1]), FEW)
        async with Bus(_at(urls[0]), "parley-gateway") as bus:
            found |= await _records(bus)
    return found


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


async def _alone(server: NatsServer, pairs: int) -> float:
    if not isinstance(server, SecuredNats):
        return await _message(_at(server.url), _at(server.url), pairs)
    gateway, stt = (_config(server.settings(user)) for user in ("gateway", "stt"))
    return await _message(gateway, stt, pairs)


def _at(url: str) -> ServiceConfig:
    return ServiceConfig(nats_url=url)


def _config(settings: Mapping[str, str]) -> ServiceConfig:
    fields = {name.removeprefix("PARLEY_").lower(): value for name, value in settings.items()}
    return ServiceConfig.model_validate(fields)


async def _message(sender: ServiceConfig, receiver: ServiceConfig, pairs: int) -> float:
    """Microseconds of processor for a message from one to the other, of so many of each."""
    received = 0

    async def count(_: object) -> None:
        nonlocal received
        received += 1

    async with AsyncExitStack() as stack:
        senders = []
        for number in range(pairs):
            senders.append(await stack.enter_async_context(Bus(sender, "parley-gateway")))
            bus = await stack.enter_async_context(Bus(receiver, "parley-stt"))
            await bus.subscribe(subjects.audio(f"call{number}"), count)
        await asyncio.sleep(1)
        before = _cpu_seconds()
        counts = await asyncio.gather(*(_send(bus, at, pairs) for at, bus in enumerate(senders)))
        used, sent = _cpu_seconds() - before, sum(counts)
        await asyncio.sleep(0.5)
    if received != sent:
        raise RuntimeError(f"{received} of {sent} messages came")
    return used / sent * 1e6


async def _send(bus: Bus, number: int, pairs: int) -> int:
    """Send for `SECONDS`, at moments of one's own; how many it were."""
    subject, sent = subjects.audio(f"call{number}"), 0
    began = time.monotonic() + EACH_SECONDS * number / pairs
    due = began
    while due < began + SECONDS:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        for _ in range(AT_ONCE):
            sent += await bus.publish_media(subject, FRAME)
        due += EACH_SECONDS
    return sent


async def _records(bus: Bus) -> dict[str, float]:
    """Records in a bucket that three servers keep in files: how many a second, and their cost."""
    bucket = await bus.jetstream(timeout=10).create_key_value(bucket="records", replicas=3)
    await asyncio.sleep(1)
    before, began = _cpu_seconds(), time.monotonic()

    async def write(first: int) -> None:
        for number in range(first, WRITES, WRITERS):
            await bucket.put(f"call{number % 500}", RECORD)

    async with asyncio.TaskGroup() as writers:
        for first in range(WRITERS):
            writers.create_task(write(first))
    took = time.monotonic() - began
    return {
        "records_a_second": WRITES / took,
        "record_us": (_cpu_seconds() - before) / WRITES * 1e6,
    }


def _cpu_seconds() -> float:
    servers = [one for one in psutil.Process().children() if one.name().startswith("nats-server")]
    return sum(one.cpu_times().user + one.cpu_times().system for one in servers)

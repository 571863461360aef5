"""The gateway as a process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine

from parley import health, logs, profiles, service
from parley.bus import Bus
from parley_gateway import recorder, store
from parley_gateway.admission import Admission
from parley_gateway.app import Gateway, build
from parley_gateway.call import Shared
from parley_gateway.config import GatewayConfig
from parley_gateway.conversation import Engine
from parley_gateway.history import History
from parley_gateway.jetstream import JetStream
from parley_gateway.jobs import Pool
from parley_gateway.limits import CallLimits
from parley_gateway.pacer import Pacer
from parley_gateway.prepared import PreparedSpeech
from parley_gateway.recorder import Recorder
from parley_gateway.store import CallStore
from parley_gateway.turntaking import deciding

log = logs.get(__name__)

MAX_WEBSOCKET_BYTES = 1024 * 1024
"""Beyond this the WebSocket layer itself closes with 1009, without reading on."""
SEND_BUFFER_BYTES = 64 * 1024
"""What the kernel holds for a client. Its own choice would hide a client that has stopped
reading for a minute, and play it stale audio when it reads on."""
JETSTREAM_SECONDS = 3.0
"""How long the start waits to know whether calls can be resumed."""
FLUSH_SECONDS = 3.0
"""How long the end waits for what is still to be stored."""


def main() -> int:
    """Run the gateway until SIGTERM. The exit code."""
    config = GatewayConfig()

    async def serve(stop: asyncio.Event) -> None:
        agents = profiles.load(config.agents)
        deciding.check(agents)
        token = config.required_token()
        async with Bus(config, "parley-gateway") as bus, _engine(config, bus) as engine:
            jetstream = _jetstream(config, bus)
            kept = CallStore(jetstream, config.resume_seconds)
            records = Recorder(jetstream, enabled=config.record_hours > 0)
            limits = CallLimits(config.max_call_seconds, config.idle_client_seconds)
            admission = Admission(
                bus,
                engine.pool.workers,
                agents,
                kept,
                max_conversations=config.max_conversations,
                token=token,
            )
            gateway = Gateway(
                Shared(engine, kept, records, limits),
                admission,
                engine.pool.workers,
                History(jetstream, kept),
            )
            async with _running(jetstream.run(), kept.run(), records.run()):
                await jetstream.wait_tried(JETSTREAM_SECONDS)
                async with health.serve(
                    build(gateway),
                    config.host,
                    config.port,
                    send_buffer=SEND_BUFFER_BYTES,
                    ws="websockets-sansio",
                    ws_max_size=MAX_WEBSOCKET_BYTES,
                    ws_per_message_deflate=False,
                ) as port:
                    log.info("gateway ready", port=port, agents=sorted(agents.agents))
                    await stop.wait()
                    await gateway.drain(config.drain_seconds)
                await _flush(kept, records)

    return service.run("gateway", config, serve)


@contextlib.asynccontextmanager
async def _engine(config: GatewayConfig, bus: Bus) -> AsyncIterator[Engine]:
    """What conversations are made with."""
    pool = Pool(bus)
    await pool.open()
    engine = Engine(
        bus,
        Pacer(),
        pool,
        PreparedSpeech(pool),
        hold_seconds=config.hold_seconds,
        log_transcripts=config.log_transcripts,
    )
    async with _running(engine.pacer.run(), pool.run(), engine.prepared.run()):
        yield engine
    await pool.close()


def _jetstream(config: GatewayConfig, bus: Bus) -> JetStream:
    replicas = config.jetstream_replicas
    streams = [store.bucket_config(config.resume_seconds, replicas)]
    if config.record_hours > 0:
        streams.append(recorder.stream_config(config.record_hours, replicas))
    return JetStream(bus, streams)


@contextlib.asynccontextmanager
async def _running(*works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Tasks that run beside the block, and end with it."""
    async with asyncio.TaskGroup() as tasks:
        background = [tasks.create_task(work) for work in works]
        yield
        for task in background:
            task.cancel()


async def _flush(kept: CallStore, records: Recorder) -> None:
    """What calls have left to be stored is stored, if it can be in time."""
    try:
        async with asyncio.timeout(FLUSH_SECONDS):
            await kept.flush()
            await records.flush()
    except TimeoutError:
        log.warning("not all was stored", waiting_records=records.waiting)

"""The gateway as a process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine

from parley import health, logs, profiles, service
from parley.bus import Bus
from parley_gateway import recorder, store
from parley_gateway.access import spent
from parley_gateway.access.access import Access
from parley_gateway.access.connections import protocols
from parley_gateway.access.door import Door
from parley_gateway.access.keyring import Keyring
from parley_gateway.access.tokens import Signer
from parley_gateway.admission import Admission
from parley_gateway.app import Gateway, build, build_management
from parley_gateway.call import Shared
from parley_gateway.config import GatewayConfig
from parley_gateway.conversation import Engine
from parley_gateway.history import History
from parley_gateway.jetstream import JetStream
from parley_gateway.jobs import Pool
from parley_gateway.limits import CallLimits
from parley_gateway.operating import Operating
from parley_gateway.pacer import Pacer
from parley_gateway.prepared import PreparedSpeech
from parley_gateway.recorder import Recorder
from parley_gateway.recordings import Recordings
from parley_gateway.store import CallStore
from parley_gateway.turntaking import deciding

log = logs.get(__name__)

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SPARE_CONNECTIONS = 200
"""Connections to the gateway, besides two for each call that it can hold."""
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
        door = _door(config)
        async with Bus(config, "parley-gateway") as bus, _engine(config, bus) as engine:
            jetstream = _jetstream(config, bus)
            kept = CallStore(jetstream, config.resume_seconds)
            records = Recorder(jetstream, enabled=config.record_hours > 0)
            recordings = _recordings(config)
            limits = CallLimits(config.max_call_seconds, config.idle_client_seconds)
            access = Access(door, bus, jetstream, config.jetstream_replicas)
            admission = Admission(
                bus,
                engine.pool.workers,
                agents,
                kept,
                max_conversations=config.max_conversations,
                access=access,
            )
            gateway = Gateway(
                Shared(engine, kept, records, limits, recordings),
                admission,
                engine.pool.workers,
                History(jetstream, kept),
            )
            operating = Operating(bus, gateway, stop.set)
            works = [jetstream.run(), kept.run(), records.run(), operating.run(), access.run()]
            if recordings is not None:
                works.append(recordings.run())
            async with _running(*works):
                await jetstream.wait_tried(JETSTREAM_SECONDS)
                async with (
                    _management(config, gateway),
                    health.serve(
                        build(gateway, managed_elsewhere=config.management_port is not None),
                        config.host,
                        config.port,
                        ssl_certfile=config.tls_certificate,
                        ssl_keyfile=config.tls_certificate_key,
                        send_buffer=SEND_BUFFER_BYTES,
                        **protocols(2 * config.max_conversations + SPARE_CONNECTIONS),
                        ws_max_size=MAX_WEBSOCKET_BYTES,
                        ws_per_message_deflate=False,
                    ) as port,
                ):
                    names = sorted(agents.agents)
                    log.info("gateway ready", gateway=operating.id, port=port, agents=names)
                    await stop.wait()
                    await gateway.drain(config.drain_seconds)
                await access.flush()
                await _flush(kept, records, recordings)

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


def _door(config: GatewayConfig) -> Door:
    """Keys, tokens and origins, as configured; what is left open is said once."""
    keyring = Keyring(config.keys, config.required_token())
    signing = config.signing_secrets()
    if config.host not in LOOPBACK:
        if not keyring.needed:
            log.warning("everybody who reaches this gateway may call: set PARLEY_KEYS")
        elif config.management_port is None:
            log.warning("callers can read /metrics and /status: set PARLEY_MANAGEMENT_PORT")
    return Door(keyring, Signer(signing) if signing else None, config.allowed_origins())


@contextlib.asynccontextmanager
async def _management(config: GatewayConfig, gateway: Gateway) -> AsyncIterator[None]:
    """The operators' port, if there is to be one."""
    if config.management_port is None:
        yield
        return
    app = build_management(gateway)
    async with health.serve(app, config.host, config.management_port) as port:
        log.info("management", port=port)
        yield


def _jetstream(config: GatewayConfig, bus: Bus) -> JetStream:
    replicas = config.jetstream_replicas
    streams = [store.bucket_config(config.resume_seconds, replicas)]
    if config.signing_secrets():
        streams.append(spent.bucket_config(replicas))
    if config.record_hours > 0:
        streams.append(recorder.stream_config(config.record_hours, replicas))
    return JetStream(bus, streams)


def _recordings(config: GatewayConfig) -> Recordings | None:
    if config.recordings is None:
        return None
    return Recordings(config.recordings, config.recordings_hours)


@contextlib.asynccontextmanager
async def _running(*works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Tasks that run beside the block, and end with it."""
    async with asyncio.TaskGroup() as tasks:
        background = [tasks.create_task(work) for work in works]
        yield
        for task in background:
            task.cancel()


async def _flush(kept: CallStore, records: Recorder, recordings: Recordings | None) -> None:
    """What calls have left to be stored is stored, if it can be in time."""
    try:
        # At once: a disk that hangs must not cost the calls' state.
        async with asyncio.timeout(FLUSH_SECONDS), asyncio.TaskGroup() as tasks:
            for store in (kept, records, recordings):
                if store is not None:
                    tasks.create_task(store.flush())
    except TimeoutError:
        log.warning("not all was stored", waiting_records=records.waiting)

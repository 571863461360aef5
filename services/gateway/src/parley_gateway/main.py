"""The gateway as a process."""

import asyncio

from parley import health, logs, profiles, service
from parley.bus import Bus
from parley_gateway.app import Gateway, build
from parley_gateway.config import GatewayConfig
from parley_gateway.conversation import Engine
from parley_gateway.pacer import Pacer
from parley_gateway.workers import Workers

log = logs.get(__name__)

MAX_WEBSOCKET_BYTES = 1024 * 1024
"""Beyond this the WebSocket layer itself closes with 1009, without reading on."""
SEND_BUFFER_BYTES = 64 * 1024
"""What the kernel holds for a client. Its own choice would hide a client that has stopped
reading for a minute, and play it stale audio when it reads on."""
HANG_UP_SECONDS = 5.0


def main() -> int:
    """Run the gateway until SIGTERM. The exit code."""
    config = GatewayConfig()

    async def serve(stop: asyncio.Event) -> None:
        agents = profiles.load(config.agents)
        token = config.required_token()
        async with Bus(config, "parley-gateway") as bus, asyncio.TaskGroup() as tasks:
            workers = Workers(bus)
            await workers.open()
            engine = Engine(bus, Pacer(), config.log_transcripts)
            gateway = Gateway(
                engine,
                workers,
                agents,
                max_conversations=config.max_conversations,
                token=token,
            )
            pacing = tasks.create_task(engine.pacer.run())
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
                await _drain(gateway, config.drain_seconds)
            pacing.cancel()
            await workers.close()

    return service.run("gateway", config, serve)


async def _drain(gateway: Gateway, seconds: float) -> None:
    """Take no new call; let those under way end, for so long; then end them."""
    gateway.accepting = False
    log.info("draining", conversations=gateway.active)
    try:
        async with asyncio.timeout(seconds):
            await gateway.idle.wait()
    except TimeoutError:
        gateway.draining.set()
        try:
            async with asyncio.timeout(HANG_UP_SECONDS):
                await gateway.idle.wait()
        except TimeoutError:
            log.warning("calls left", conversations=gateway.active)

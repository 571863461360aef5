"""What can be done in NATS with a stolen key: the shipped configuration, tried by a thief."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import nats.errors
import nkeys
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StorageType, StreamConfig

from security import table
from security.attacks import SECRET, STREAM, USERS, Scene, attacks
from support.nats import NatsServer
from support.secured import SecuredNats


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredNats]:
    server = SecuredNats(tmp_path_factory.mktemp("nats"), witness=True)
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def connected(
    url: str, seed: Path | None = None, refused: asyncio.Event | None = None
) -> AsyncIterator[Client]:
    """A client without Parley's manners. `refused` is set once it may not do something."""

    async def on_error(error: Exception) -> None:
        if refused is not None and "permissions violation" in str(error):
            refused.set()

    client = Client()
    await client.connect(
        url,
        nkeys_seed=None if seed is None else str(seed),
        allow_reconnect=False,
        error_cb=on_error,
    )
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def scene(server: NatsServer, user: str) -> AsyncIterator[Scene]:
    """The thief with its key, where there are keys."""
    keys = server.keys if isinstance(server, SecuredNats) else None
    async with AsyncExitStack() as stack:
        stolen, own = (keys / user / "seed", keys / "witness") if keys else (None, None)
        refused = asyncio.Event()
        thief = await stack.enter_async_context(connected(server.url, stolen, refused))
        witness = await stack.enter_async_context(connected(server.url, own))
        yield Scene(user, thief, witness, refused)


async def set_out(kept: JetStreamContext) -> None:
    """JetStream keeps what a thief is after, and nothing else."""
    for stream in await kept.streams_info():
        await kept.delete_stream(str(stream.config.name))
    for name, subject in ((STREAM, "parley.v1.record"), ("KV_parley_calls", "$KV.parley_calls")):
        await kept.add_stream(
            StreamConfig(name=name, subjects=[f"{subject}.>"], storage=StorageType.MEMORY)
        )
        await kept.publish(f"{subject}.kept", SECRET)


async def successes(server: NatsServer, user: str) -> dict[str, bool]:
    """Which attacks get through."""
    found = {}
    async with scene(server, user) as here:
        for attack in attacks(user):
            await set_out(here.witness.jetstream())
            here.refused.clear()
            found[attack.name] = await attack.run(here)
    return found


@pytest.mark.parametrize("user", USERS)
async def test_nothing_gets_through(secured: SecuredNats, user: str) -> None:
    found = await successes(secured, user)
    assert [name for name, through in found.items() if through] == []


@pytest.mark.parametrize("user", USERS)
async def test_without_permissions_everything_would(nats_server: NatsServer, user: str) -> None:
    found = await successes(nats_server, user)
    assert [name for name, through in found.items() if not through] == []


async def test_who_has_no_key_is_not_let_in(secured: SecuredNats, tmp_path: Path) -> None:
    unknown = tmp_path / "seed"
    unknown.write_bytes(nkeys.encode_seed(bytes(32), nkeys.PREFIX_BYTE_USER))
    tries = [(secured.url, None), (secured.url, unknown)]
    for name in ("gateway", "gateway:gateway", _public(secured, "gateway")):
        tries.append((secured.url.replace("://", f"://{name}@"), None))
    for url, seed in tries:
        with pytest.raises(nats.errors.Error, match="Authorization Violation"):
            async with connected(url, seed):
                pass


async def test_nobody_is_another_by_saying_so(secured: SecuredNats) -> None:
    class Pretender(Client):
        def _connect_command(self) -> bytes:
            self._public_nkey = _public(secured, "gateway")
            return super()._connect_command()

    pretender = Pretender()
    with pytest.raises(nats.errors.Error, match="Authorization Violation"):
        await pretender.connect(
            secured.url, nkeys_seed=str(secured.keys / "tts" / "seed"), allow_reconnect=False
        )


def test_the_table_in_the_documentation_is_that_of_these_tests() -> None:
    written = table.PAGE.read_text()
    assert table.rendered() in written, "run: PYTHONPATH=tests python -m security.table"


def _public(server: SecuredNats, user: str) -> str:
    seed = bytearray((server.keys / user / "seed").read_bytes().strip())
    return str(nkeys.from_seed(seed).public_key.decode())

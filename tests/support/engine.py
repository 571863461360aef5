"""The whole engine as a test runs it: NATS and the services, each a process of its own."""

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import yaml

from support.nats import NatsServer, free_port
from support.service_process import ServiceProcess

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
Profiles = Mapping[str, Mapping[str, object]]
"""What stands in agents.yaml, by the agents' names."""
STAGES = ("stt", "agent", "tts")


class Broker(Protocol):
    """What brings the messages: a NATS server, or a cluster of them."""

    @property
    def url(self) -> str:
        """Where services find it; addresses are separated by commas."""

    def start(self) -> None:
        """Returns when it takes connections."""

    def stop(self) -> None:
        """Returns when it is gone."""


class Engine:
    """Start it with `with`; start, stop, kill and freeze single services in between.

    It begins with so many `gateways`, and so many `workers` of each stage. `settings` are
    environment variables of all services of a name. `spare_ports` are for gateways that are
    started later: their addresses are in `urls` from the beginning. `route` gives the address at
    which a service finds NATS; it is asked for each service as it starts.
    """

    def __init__(
        self,
        folder: Path,
        profiles: Profiles | None = None,
        *,
        nats: Broker | None = None,
        gateways: int = 1,
        workers: int = 1,
        spare_ports: int = 0,
        settings: Mapping[str, Mapping[str, str]] | None = None,
        route: Callable[[str], str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.nats: Broker = nats or NatsServer()
        self.services: list[ServiceProcess] = []
        self.ports = [free_port() for _ in range(gateways + spare_ports)]
        self.port = self.ports[0]
        self.url = _address(self.port)
        self.agents = folder / "agents.yaml"
        self.agents.write_text(yaml.safe_dump({"agents": dict(profiles or PROFILES)}))
        self._first = {"gateway": gateways} | dict.fromkeys(STAGES, workers)
        self._settings = settings or {}
        self._route = route or (lambda name: self.nats.url)
        self._started = 0

    @property
    def urls(self) -> str:
        """The addresses of all gateways, separated by commas, as a client takes them."""
        return ",".join(_address(port) for port in self.ports)

    def __enter__(self) -> Self:
        try:
            self.nats.start()
            for name, count in self._first.items():
                for _ in range(count):
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
        for service in self.running():
            service.thaw()
            service.process.send_signal(signal.SIGTERM)
        for service in self.services:
            service.stop()
        self.nats.stop()

    def start(self, name: str, **env: str) -> ServiceProcess:
        """Start a service. It may be the second of its kind."""
        self._started += 1
        settings = {
            "PARLEY_NATS_URL": self._route(name),
            "PARLEY_PORT": str(self._gateway_port() if name == "gateway" else free_port()),
            "PARLEY_AGENTS": str(self.agents),
            "PARLEY_LOG_FORMAT": "json",
            "PARLEY_DRAIN_SECONDS": "1",
            "PARLEY_RECORD_HOURS": "24",
            **self._settings.get(name, {}),
            **env,
        }
        service = ServiceProcess(name, self.folder / f"{self._started}-{name}.log", settings)
        self.services.append(service)
        return service

    def replace(self, service: ServiceProcess) -> ServiceProcess:
        """Start another with the settings of one that is gone, a gateway on the same port."""
        return self.start(service.name, **service.env)

    def running(self, name: str | None = None) -> list[ServiceProcess]:
        """The services (of that name) whose processes live, in the order of their start."""
        return [one for one in self.services if one.alive and name in (None, one.name)]

    def service(self, name: str) -> ServiceProcess:
        """The running service of that name that was started last."""
        return self.running(name)[-1]

    def busy(self, name: str) -> list[ServiceProcess]:
        """The services of that name that hold a job, or a call."""
        metric = (
            "parley_conversations_active"
            if name == "gateway"
            else f'parley_worker_jobs_running{{stage="{name}"}}'
        )
        return [one for one in self.running(name) if not one.frozen and one.metric(metric) > 0]

    def wait_ready(self, timeout: float = 90) -> None:
        """Return when the gateways and all that runs are ready."""
        deadline = time.monotonic() + timeout
        while not all(one.ready for one in self.running()):
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

    def _gateway_port(self) -> int:
        taken = {one.port for one in self.running("gateway")}
        return next((port for port in self.ports if port not in taken), self.port)

    def turns(self, conversation_id: str) -> list[dict[str, Any]]:
        """The log lines of a conversation's turns."""
        lines = [line for one in self.services if one.name == "gateway" for line in one.log_lines()]
        return [
            line
            for line in lines
            if line.get("event") == "turn" and line["conversation"] == conversation_id
        ]


def _address(port: int) -> str:
    return f"ws://127.0.0.1:{port}/conversation"


__all__ = [
    "A_MINUTE",
    "FIVE_SENTENCES",
    "ONE_SENTENCE",
    "PROFILES",
    "STAGES",
    "Broker",
    "Engine",
    "Profiles",
    "ServiceProcess",
    "reciting",
]

"""Real NATS servers of a test's own, with JetStream: one, or a cluster."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


def free_port() -> int:
    """A port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def executable() -> str:
    """nats-server from the environment's packages, or from PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise FileNotFoundError("no nats-server: run `make install`")
    return found


class NatsServer:
    """Start it, stop it, start it again on the same port: what JetStream keeps is still there."""

    def __init__(self, *, name: str = "alone", jetstream: bool = True) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._monitoring = free_port()
        self._folder = tempfile.mkdtemp(prefix="parley-nats-")
        self._options = ["-js", "-sd", self._folder] if jetstream else []
        self._process: subprocess.Popen[bytes] | None = None
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    @property
    def monitoring_url(self) -> str:
        """Where it says how it is."""
        return f"http://127.0.0.1:{self._monitoring}"

    @property
    def running(self) -> bool:
        """Whether its process lives; it may be frozen."""
        return self._process is not None

    def join(self, cluster: str, port: int, peers: Sequence[int]) -> None:
        """Before the start: be a member of a cluster; the ports are the members' for each other."""
        routes = ",".join(f"nats://127.0.0.1:{peer}" for peer in peers)
        self._options += ["--cluster_name", cluster, "--cluster", f"nats://127.0.0.1:{port}"]
        self._options += ["--routes", routes]

    def start(self) -> None:
        """Returns when it takes connections."""
        address = ["-a", "127.0.0.1", "-p", str(self.port), "-m", str(self._monitoring)]
        self._process = subprocess.Popen(
            [executable(), "-n", self.name, *address, *self._options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def stop(self) -> None:
        """Kill it; returns when it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """From now on it does nothing, but its connections stay."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError(f"NATS server {self.name} does not run")
        self._process.send_signal(number)

    def monitor(self, path: str) -> Any:
        """What its monitoring says, such as /varz or /jsz?streams=true. Raises OSError."""
        url = self.monitoring_url + path
        with urllib.request.urlopen(url, timeout=2) as answer:
            return json.load(answer)


class NatsCluster:
    """Servers that are one NATS with JetStream. Use it with `with`, or `start` and `stop` it.

    `url` names all members, as PARLEY_NATS_URL takes them. With three members, streams of three
    replicas outlive any one of them.
    """

    def __init__(self, size: int = 3) -> None:
        self.nodes = [NatsServer(name=f"node-{number}") for number in range(size)]
        self.url = ",".join(node.url for node in self.nodes)
        ports = [free_port() for _ in self.nodes]
        for node, port in zip(self.nodes, ports, strict=True):
            node.join("parley", port, ports)

    def __enter__(self) -> Self:
        try:
            self.start()
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

    def start(self) -> None:
        """Start the members that do not run; returns when all of them know JetStream's leader."""
        for node in self.nodes:
            if not node.running:
                node.start()
        self.wait_leader()

    def stop(self) -> None:
        """Kill all members."""
        for node in self.nodes:
            node.stop()

    def node(self, name: str) -> NatsServer:
        """The member of that name."""
        return next(node for node in self.nodes if node.name == name)

    def wait_leader(self, timeout: float = 30) -> NatsServer:
        """JetStream's leader, once all members that run agree on one that runs."""
        deadline = time.monotonic() + timeout
        while True:
            leaders = {self._meta_leader(node) for node in self.nodes if node.running}
            if len(leaders) == 1 and (leader := leaders.pop()):
                return leader
            if time.monotonic() > deadline:
                raise TimeoutError("the NATS cluster has no leader")
            time.sleep(0.05)

    def stream_leader(self, stream: str, timeout: float = 30) -> NatsServer:
        """The member that leads a stream (a bucket's is `KV_<bucket>`), once one that runs does."""
        deadline = time.monotonic() + timeout
        while True:
            for node in self.nodes:
                leader = self._leader_of(node, stream) if node.running else None
                if leader is not None:
                    return leader
            if time.monotonic() > deadline:
                raise TimeoutError(f"the stream {stream} has no leader")
            time.sleep(0.05)

    def kill_stream_leader(self, stream: str) -> NatsServer:
        """Kill the member that leads a stream; that member, to be started again."""
        leader = self.stream_leader(stream)
        leader.stop()
        return leader

    def _meta_leader(self, node: NatsServer) -> NatsServer | None:
        try:
            name = node.monitor("/jsz").get("meta_cluster", {}).get("leader")
        except OSError:
            return None
        return self._running(name)

    def _leader_of(self, node: NatsServer, stream: str) -> NatsServer | None:
        try:
            accounts = node.monitor("/jsz?streams=true").get("account_details") or []
        except OSError:
            return None
        for account in accounts:
            for detail in account.get("stream_detail") or []:
                if detail["name"] == stream:
                    return self._running(detail.get("cluster", {}).get("leader"))
        return None

    def _running(self, name: str | None) -> NatsServer | None:
        return next((node for node in self.nodes if node.name == name and node.running), None)

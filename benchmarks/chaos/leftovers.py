"""Whether a service is as idle after the calls as it was before them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from support.service_process import ServiceProcess

LET_GO_SECONDS = 30.0
"""A job whose gateway was killed gives up after 15 s; a gateway forgets a call's caller later."""
SPARE_FILES = 3
"""A connection that is being opened or closed is not left over."""


@dataclass(frozen=True)
class Holdings:
    """What a service holds."""

    jobs: int
    """Jobs, or a gateway's conversations."""
    tasks: int
    subscriptions: int
    files: int

    def beyond(self, idle: "Holdings") -> str:
        """What is more than when idle; empty if nothing is."""
        more = {
            "jobs": self.jobs - idle.jobs,
            "tasks": self.tasks - idle.tasks,
            "subscriptions": self.subscriptions - idle.subscriptions,
            "files": self.files - idle.files - SPARE_FILES,
        }
        return ", ".join(f"{count} {what}" for what, count in more.items() if count > 0)


def holdings(service: ServiceProcess) -> Holdings:
    """What it holds now. Raises OSError if it does not answer."""
    metrics = service.metrics()
    running = f'parley_worker_jobs_running{{stage="{service.name}"}}'
    jobs = "parley_conversations_active" if service.name == "gateway" else running
    return Holdings(
        jobs=int(metrics.get(jobs, 0)),
        tasks=int(metrics.get("parley_event_loop_tasks", 0)),
        subscriptions=int(metrics.get("parley_bus_subscriptions", 0)),
        files=service.usage.num_fds(),
    )


def when_idle(services: Sequence[ServiceProcess]) -> dict[str, Holdings]:
    """The most that services of each kind hold, once no job is left. Raises RuntimeError."""
    deadline = time.monotonic() + LET_GO_SECONDS
    while True:
        held = [(service.name, holdings(service)) for service in services]
        if not any(one.jobs for _, one in held):
            break
        if time.monotonic() > deadline:
            raise RuntimeError(f"jobs are left: {held}")
        time.sleep(0.25)
    names = {service.name for service in services}
    return {name: _most([one for kind, one in held if kind == name]) for name in names}


def _most(several: Sequence[Holdings]) -> Holdings:
    return Holdings(
        jobs=max(one.jobs for one in several),
        tasks=max(one.tasks for one in several),
        subscriptions=max(one.subscriptions for one in several),
        files=max(one.files for one in several),
    )


def left_over(
    services: Sequence[ServiceProcess],
    idle: dict[str, Holdings],
    patience: float = LET_GO_SECONDS,
) -> list[str]:
    """What services still hold `patience` s later, beyond what is idle for their kind."""
    deadline = time.monotonic() + patience
    while True:
        found = []
        for service in services:
            if more := holdings(service).beyond(idle[service.name]):
                found.append(f"{service.log.stem} still holds {more}")
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.25)

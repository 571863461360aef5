"""Prometheus metrics that two services share. Base units; never a conversation's id."""

from prometheus_client import Counter, Gauge

MESSAGES_DROPPED = Counter(
    "parley_messages_dropped_total",
    "Messages from NATS that were dropped, by reason: undecodable, unexpected, fenced, overflow.",
    ["reason"],
)
SEQ_GAPS = Counter(
    "parley_seq_gaps_total", "Messages of a job that never arrived, seen by their seq.", ["stage"]
)
MEDIA_DISCARDED = Counter(
    "parley_media_discarded_total", "Audio frames not sent because NATS was away."
)
BUS_CONNECTED = Gauge("parley_bus_connected", "1 while the process is connected to NATS.")
BUS_ERRORS = Counter("parley_bus_errors_total", "Errors that the NATS client reported.", ["error"])
JOBS = Counter(
    "parley_worker_jobs_total",
    "Jobs by outcome: done, failed, cancelled, abandoned, refused, unclaimed.",
    ["stage", "outcome"],
)
JOBS_RUNNING = Gauge("parley_worker_jobs_running", "Jobs that the worker runs now.", ["stage"])
CAPACITY = Gauge("parley_worker_capacity", "Jobs that the worker can run at once.", ["stage"])
TASKS = Gauge("parley_event_loop_tasks", "asyncio tasks that are alive.")
SUBSCRIPTIONS = Gauge("parley_bus_subscriptions", "NATS subscriptions that the process holds.")
PROVIDER_FAILURES = Counter(
    "parley_provider_failures_total",
    "Jobs that a provider could not do, by what may be tried: now, later, never.",
    ["stage", "provider", "retry"],
)
BREAKERS = Gauge(
    "parley_breakers",
    "Circuit breakers by state: closed, half_open, open. One for each settings of a provider.",
    ["stage", "provider", "state"],
)
BREAKER_CHANGES = Counter(
    "parley_breaker_changes_total",
    "Changes of a breaker to a state.",
    ["stage", "provider", "state"],
)

"""Prometheus metrics that two services share. Base units; never a conversation's id."""

from collections.abc import Iterable
from itertools import product

from prometheus_client import Counter, Gauge, Histogram, Info

from parley.subjects import Stage


def start_at_zero(metric: Counter | Gauge | Histogram, *values: Iterable[str]) -> None:
    """Have all series of these labels' values from the beginning.

    A counter that comes into being at 1 has never grown, as Prometheus sees it.
    """
    for labels in product(*values):
        metric.labels(*labels)


BUILD = Info("parley_build", "What runs here: service, version, python.")
DRAINING = Gauge("parley_draining", "1 once the process is told to stop and takes no new work.")
LOOP_LAG = Histogram(
    "parley_event_loop_lag_seconds",
    "How late the event loop comes to what is due.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
MESSAGES_DROPPED = Counter(
    "parley_messages_dropped_total",
    "Messages from NATS that were dropped, by reason: undecodable, unexpected, fenced, overflow, "
    "repeated.",
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
PROVIDER_JOBS = Counter(
    "parley_provider_jobs_total", "Jobs that a provider was given.", ["stage", "provider"]
)
PROVIDER_FIRST_RESULT = Histogram(
    "parley_provider_first_result_seconds",
    "Agent: from the request to the first words. Tts: from the text to the first sound. "
    "Stt: from the end of a turn to its last words.",
    ["stage", "provider"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0),
)
PROVIDER_AUDIO = Counter(
    "parley_provider_audio_seconds_total", "Audio that a transcriber was given.", ["provider"]
)
PROVIDER_CHARACTERS = Counter(
    "parley_provider_characters_total", "Characters that a voice was given to speak.", ["provider"]
)

start_at_zero(MESSAGES_DROPPED, ["undecodable", "unexpected", "fenced", "overflow", "repeated"])
start_at_zero(SEQ_GAPS, Stage)
start_at_zero(BUS_ERRORS, ["AuthorizationError", "PermissionsViolation"])

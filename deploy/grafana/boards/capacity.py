"""How much of what there is is in use, and where the next worker is needed."""

from deploy.grafana.panels import (
    PER_MINUTE,
    Board,
    Query,
    Variable,
    lines,
    per_minute,
    quantile,
    stat,
)

HERE = 'stage=~"$stage"'
OURS = 'job=~"parley.*"'
FULL = ((None, "green"), (0.7, "orange"), (0.9, "red"))
"""Autoscalers aim at 0.7; above 0.9 a burst finds no room."""
CORES = f"rate(process_cpu_seconds_total{{{OURS}}}[$__rate_interval])"


def use(stage: str) -> str:
    """The share of a stage's capacity that is in use, as the alerts have it."""
    return f'parley:capacity:used_ratio{{stage="{stage}"}}'


def stage_use(stage: str, what: str) -> tuple[str, str]:
    """The title and the description of such a panel."""
    return f"{stage} in use", f"{what}, of those that its workers can run at once."


BOARD = Board(
    uid="parley-capacity",
    title="Parley: capacity and scaling",
    description="Who is busy, who refuses, and what to add. Sums: docs/sizing.md.",
    variables=[Variable("stage", "Stage", "parley_worker_capacity", "stage")],
    rows=[
        (
            "Now",
            [
                stat(
                    "Lines in use",
                    "Calls, of those that the gateways take.",
                    "parley:conversations:used_ratio",
                    unit="percentunit",
                    limits=FULL,
                ),
                stat(
                    *stage_use("stt", "Hearings, one for each call"),
                    use("stt"),
                    unit="percentunit",
                    limits=FULL,
                ),
                stat(
                    *stage_use("agent", "Replies being written"),
                    use("agent"),
                    unit="percentunit",
                    limits=FULL,
                ),
                stat(
                    *stage_use("tts", "Turns being spoken"),
                    use("tts"),
                    unit="percentunit",
                    limits=FULL,
                ),
                stat(
                    "Claims without capacity",
                    "A caller waited because all workers of a stage were full; tried again each "
                    "30 ms.",
                    per_minute("parley_jobs_total", where='outcome="no_capacity"'),
                    unit=PER_MINUTE,
                    limits=((None, "green"), (1, "orange"), (60, "red")),
                ),
                stat(
                    "Calls refused for want of capacity",
                    "By the gateways, before the call begins.",
                    per_minute("parley_refusals_total", where='code="no_capacity"'),
                    unit=PER_MINUTE,
                    limits=((None, "green"), (0.5, "red")),
                ),
            ],
        ),
        (
            "Capacity",
            [
                lines(
                    "Capacity in use",
                    "Jobs over capacity, by stage, without what drains: what the autoscalers "
                    "aim at.",
                    Query(f"parley:capacity:used_ratio{{{HERE}}}", "{{stage}}"),
                    unit="percentunit",
                    limits=FULL,
                    maximum=1,
                ),
                lines(
                    "Jobs and capacity",
                    "The two lines of a stage must not meet.",
                    Query(
                        f"sum by (stage) (parley_worker_jobs_running{{{HERE}}})",
                        "{{stage}}: running",
                    ),
                    Query(
                        f"sum by (stage) (parley_worker_capacity{{{HERE}}})",
                        "{{stage}}: capacity",
                    ),
                ),
                lines(
                    "Workers",
                    "As each gateway sees them; the fewest of all gateways. Below what runs: "
                    "some cannot reach NATS.",
                    Query(f"min by (stage) (parley_workers{{{HERE}}})", "{{stage}}"),
                ),
            ],
        ),
        (
            "Finding a worker",
            [
                lines(
                    "Time to find a worker, p95",
                    "A millisecond as a rule. More: workers are full, frozen, or NATS is slow.",
                    Query(quantile(0.95, "parley_job_claim_seconds", "stage", HERE), "{{stage}}"),
                    unit="s",
                    limits=((None, "green"), (0.1, "orange"), (0.3, "red")),
                ),
                lines(
                    "Claims by outcome",
                    "no_capacity and timeout are tried again; refused means that the worker's "
                    "provider is not asked for now.",
                    Query(
                        per_minute(
                            "parley_jobs_total",
                            "outcome",
                            f'{HERE}, outcome=~"accepted|refused|no_capacity|timeout"',
                        ),
                        "{{outcome}}",
                    ),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "Jobs by outcome, as workers see them",
                    "failed: the provider failed. abandoned: the gateway fell silent.",
                    Query(per_minute("parley_worker_jobs_total", "outcome", HERE), "{{outcome}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
            ],
        ),
        (
            "Processes",
            [
                lines(
                    "Processor time by service",
                    "Cores in use.",
                    Query(f"sum by (job) ({CORES})", "{{job}}"),
                    stacked=True,
                ),
                lines(
                    "The busiest process of each service",
                    "Cores. A gateway's playout has one core only: 1.0 is full, and late.",
                    Query(f"max by (job) ({CORES})", "{{job}}"),
                ),
                lines(
                    "Memory of the largest process",
                    "Of each service.",
                    Query(f"max by (job) (process_resident_memory_bytes{{{OURS}}})", "{{job}}"),
                    unit="bytes",
                ),
                lines(
                    "Tasks",
                    "asyncio tasks of the process that has the most. A line that only rises is a "
                    "leak.",
                    Query("max by (job) (parley_event_loop_tasks)", "{{job}}"),
                ),
                lines(
                    "Open files",
                    "Over the limit, of the process that has the most.",
                    Query(
                        f"max by (job) (process_open_fds{{{OURS}}} / process_max_fds{{{OURS}}})",
                        "{{job}}",
                    ),
                    unit="percentunit",
                    maximum=1,
                ),
                lines(
                    "Lateness of the event loop, p99",
                    "Of each service. The first sign of a process that has too much to do.",
                    Query(quantile(0.99, "parley_event_loop_lag_seconds", "job"), "{{job}}"),
                    unit="s",
                    limits=((None, "green"), (0.1, "orange"), (0.25, "red")),
                ),
                lines(
                    "Versions",
                    "Processes of each version: how far a rollout has come.",
                    Query("count by (version) (parley_build_info)", "{{version}}"),
                    width=12,
                    stacked=True,
                ),
                lines(
                    "Processes",
                    "Of each service: those that answer Prometheus, and those that drain.",
                    Query(f"sum by (job) (up{{{OURS}}})", "{{job}}"),
                    Query("sum by (job) (parley_draining)", "{{job}}: draining"),
                    width=12,
                ),
            ],
        ),
    ],
)

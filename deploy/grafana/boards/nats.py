"""The message bus: the servers, what they keep, and how Parley's processes see them."""

from deploy.grafana.panels import (
    PER_MINUTE,
    Board,
    Query,
    Variable,
    lines,
    per_minute,
    per_second,
    quantile,
    quantiles,
    stat,
)

HERE = 'server_id=~"$server"'
LEADERS = f'{HERE}, is_stream_leader="true"'
"""Followers tell of a stream too: only its leader counts."""
NONE = ((None, "green"), (1, "red"))
SERVER = "{{server_id}}"


def rate(name: str) -> str:
    """How fast a figure of /varz grows, by server."""
    return per_second(f"gnatsd_varz_{name}", "server_id", HERE)


BOARD = Board(
    uid="parley-nats",
    title="Parley: NATS",
    description="The bus between the services, and JetStream, which keeps calls and records.",
    variables=[Variable("server", "Server", "gnatsd_varz_connections", "server_id")],
    rows=[
        (
            "Now",
            [
                stat(
                    "Servers that are well",
                    "Of those that are watched.",
                    "sum(gnatsd_healthz_status_value) / count(gnatsd_healthz_status_value)",
                    unit="percentunit",
                    limits=((None, "red"), (1, "green")),
                ),
                stat(
                    "Processes without NATS",
                    "Services that have lost the bus. Their calls are held.",
                    "count(parley_bus_connected) - sum(parley_bus_connected)",
                    limits=NONE,
                ),
                stat(
                    "Slow consumers",
                    "Connections that the servers cut in the last hour because they did not read.",
                    f"sum(increase(gnatsd_varz_slow_consumers{{{HERE}}}[1h]))",
                    limits=NONE,
                ),
                stat(
                    "Messages in",
                    "Of all clients, a second. Most are frames of audio.",
                    f"sum({rate('in_msgs')})",
                    unit="mps",
                ),
                stat(
                    "JetStream storage in use",
                    "Of what the fullest server may use.",
                    f"max(gnatsd_varz_jetstream_stats_storage{{{HERE}}}"
                    f" / gnatsd_varz_jetstream_config_max_storage{{{HERE}}})",
                    unit="percentunit",
                    limits=((None, "green"), (0.7, "orange"), (0.85, "red")),
                ),
                stat(
                    "Gateways without JetStream",
                    "Their calls go on, but cannot be resumed elsewhere.",
                    "count(parley_jetstream_ready) - sum(parley_jetstream_ready)",
                    limits=NONE,
                ),
            ],
        ),
        (
            "Servers",
            [
                lines(
                    "Messages",
                    "In and out.",
                    Query(rate("in_msgs"), f"{SERVER} in"),
                    Query(rate("out_msgs"), f"{SERVER} out"),
                    unit="mps",
                ),
                lines(
                    "Bytes",
                    "In and out. A call at 16 kHz is 32 kB/s, twice that while the bot speaks.",
                    Query(rate("in_bytes"), f"{SERVER} in"),
                    Query(rate("out_bytes"), f"{SERVER} out"),
                    unit="Bps",
                ),
                lines(
                    "Bytes that wait for clients",
                    "Grows where a service is too slow; NATS cuts it off in the end.",
                    Query(f"gnatsd_connz_pending_bytes{{{HERE}}}", SERVER),
                    unit="bytes",
                ),
                lines(
                    "Connections",
                    "One for each service process.",
                    Query(f"gnatsd_varz_connections{{{HERE}}}", SERVER),
                ),
                lines(
                    "Subscriptions",
                    "Some for each call. A line that only rises is a leak.",
                    Query(f"gnatsd_varz_subscriptions{{{HERE}}}", SERVER),
                ),
                lines(
                    "Processor time",
                    "Cores in use.",
                    Query(f"gnatsd_varz_cpu{{{HERE}}} / 100", SERVER),
                ),
                lines(
                    "Memory",
                    "Of the server's process.",
                    Query(f"gnatsd_varz_mem{{{HERE}}}", SERVER),
                    unit="bytes",
                ),
                lines(
                    "Time since the start",
                    "A server that starts again and again is seen here.",
                    Query(f"time() - gnatsd_varz_start{{{HERE}}} / 1000", SERVER),
                    unit="s",
                ),
                lines(
                    "Health",
                    "1: well. 0: not, or unreachable.",
                    Query(f"min by (server_id) (gnatsd_healthz_status_value{{{HERE}}})", SERVER),
                    maximum=1,
                ),
            ],
        ),
        (
            "JetStream",
            [
                lines(
                    "Bytes by stream",
                    "KV_parley_calls holds the calls' states, PARLEY_RECORD what happened in them.",
                    Query(
                        f"max by (stream_name) (jetstream_stream_total_bytes{{{LEADERS}}})",
                        "{{stream_name}}",
                    ),
                    unit="bytes",
                ),
                lines(
                    "Messages by stream",
                    "Kept now.",
                    Query(
                        f"max by (stream_name) (jetstream_stream_total_messages{{{LEADERS}}})",
                        "{{stream_name}}",
                    ),
                ),
                lines(
                    "API errors",
                    "Requests to JetStream that it refused.",
                    Query(f"60 * {rate('jetstream_stats_api_errors')}", SERVER),
                    unit=PER_MINUTE,
                ),
                lines(
                    "Time to store a call's state",
                    "Calls do not wait for it.",
                    *quantiles("parley_call_store_write_seconds", 0.5, 0.95),
                    unit="s",
                ),
                lines(
                    "Writes of calls' states",
                    "failed ones are tried again; taken: the call has moved to another gateway.",
                    Query(per_minute("parley_call_store_writes_total", "outcome"), "{{outcome}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "Records",
                    "What happened in calls, where it is kept. dropped ones are lost.",
                    Query(per_minute("parley_records_total", "outcome"), "{{outcome}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
            ],
        ),
        (
            "As Parley sees it",
            [
                lines(
                    "Processes connected",
                    "By service.",
                    Query("sum by (job) (parley_bus_connected)", "{{job}}"),
                    width=6,
                ),
                lines(
                    "Errors of the NATS client",
                    "PermissionsViolation: a wrong user, or a stolen one.",
                    Query(per_minute("parley_bus_errors_total", "job, error"), "{{job}} {{error}}"),
                    unit=PER_MINUTE,
                    width=6,
                    stacked=True,
                ),
                lines(
                    "Time to find a worker, median",
                    "A request and its answer through NATS: the bus's own latency when workers "
                    "are idle.",
                    Query(quantile(0.5, "parley_job_claim_seconds", "stage"), "{{stage}}"),
                    unit="s",
                    width=6,
                ),
                lines(
                    "Subscriptions of a process",
                    "Of the process of each service that holds the most.",
                    Query("max by (job) (parley_bus_subscriptions)", "{{job}}"),
                    width=6,
                ),
            ],
        ),
    ],
)

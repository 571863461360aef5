"""Recognisers, models and voices: errors, latency, breakers, units of cost."""

from deploy.grafana.panels import (
    PER_MINUTE,
    Board,
    Query,
    Variable,
    lines,
    per_minute,
    per_second,
    quantile,
    stat,
)

HERE = 'stage=~"$stage", provider=~"$provider"'
BOTH = "{{stage}} {{provider}}"
FIRST = "parley_provider_first_result_seconds"
FAILING = ((None, "green"), (0.01, "orange"), (0.05, "red"))


def failing(by: str = "") -> str:
    """The share of jobs that a provider failed."""
    failures = per_second("parley_provider_failures_total", by, HERE)
    return f"{failures} / {per_second('parley_provider_jobs_total', by, HERE)}"


BOARD = Board(
    uid="parley-providers",
    title="Parley: providers",
    description="Who recognises, writes and speaks; who fails at it; and what is used of them.",
    variables=[
        Variable("stage", "Stage", "parley_provider_jobs_total", "stage"),
        Variable("provider", "Provider", "parley_provider_jobs_total", "provider"),
    ],
    rows=[
        (
            "Now",
            [
                stat(
                    "Jobs that failed",
                    "Of those that providers were given.",
                    failing(),
                    unit="percentunit",
                    width=6,
                    limits=FAILING,
                ),
                stat(
                    "Breakers open now",
                    "Each keeps one worker's jobs from a provider that fails.",
                    f'sum(parley_breakers{{{HERE}, state!="closed"}})',
                    width=6,
                    limits=((None, "green"), (1, "red")),
                ),
                stat(
                    "Failovers a minute",
                    "Jobs given to another worker or a fallback under a call.",
                    "60 * " + per_second("parley_failovers_total", where='stage=~"$stage"'),
                    width=6,
                    limits=((None, "green"), (1, "orange"), (10, "red")),
                ),
                stat(
                    "Tool calls that failed",
                    "Of all, timeouts too.",
                    per_second("parley_tool_calls_total", where='outcome=~"failed|timeout"')
                    + f" / {per_second('parley_tool_calls_total')}",
                    unit="percentunit",
                    width=6,
                    limits=FAILING,
                ),
            ],
        ),
        (
            "Errors",
            [
                lines(
                    "Jobs that failed, by provider",
                    "Over the jobs that the provider was given.",
                    Query(failing("stage, provider"), BOTH),
                    unit="percentunit",
                    width=6,
                    limits=FAILING,
                    maximum=1,
                ),
                lines(
                    "Failures by what may be tried",
                    "now: a fault of the moment. later: a limit or quota. never: a wrong key, "
                    "model or request; mend the profile.",
                    Query(
                        per_minute("parley_provider_failures_total", "provider, retry", HERE),
                        "{{provider}}: {{retry}}",
                    ),
                    unit=PER_MINUTE,
                    width=6,
                    stacked=True,
                ),
                lines(
                    "Breakers that are not closed",
                    "open: not asked. half_open: one job tries.",
                    Query(
                        "sum by (stage, provider, state) "
                        f'(parley_breakers{{{HERE}, state!="closed"}})',
                        f"{BOTH}: {{{{state}}}}",
                    ),
                    width=6,
                    stacked=True,
                ),
                lines(
                    "Breakers that open",
                    "Again and again: the provider comes and goes.",
                    Query(
                        per_minute(
                            "parley_breaker_changes_total",
                            "stage, provider",
                            f'{HERE}, state="open"',
                        ),
                        BOTH,
                    ),
                    unit=PER_MINUTE,
                    width=6,
                    stacked=True,
                ),
            ],
        ),
        (
            "Latency",
            [
                lines(
                    "First words of a reply",
                    "From the request to the model's first words: p50 and p95.",
                    *(
                        Query(quantile(share, FIRST, "provider", 'stage="agent"'), legend)
                        for share, legend in ((0.5, "{{provider}} p50"), (0.95, "{{provider}} p95"))
                    ),
                    unit="s",
                ),
                lines(
                    "First sound of a turn",
                    "From the text to the voice's first sound: p50 and p95.",
                    *(
                        Query(quantile(share, FIRST, "provider", 'stage="tts"'), legend)
                        for share, legend in ((0.5, "{{provider}} p50"), (0.95, "{{provider}} p95"))
                    ),
                    unit="s",
                ),
                lines(
                    "Last words of a turn",
                    "From the end of a turn, as the engine decides it, to its final transcription: "
                    "p50 and p95. Transcribers that end turns themselves are not here.",
                    *(
                        Query(quantile(share, FIRST, "provider", 'stage="stt"'), legend)
                        for share, legend in ((0.5, "{{provider}} p50"), (0.95, "{{provider}} p95"))
                    ),
                    unit="s",
                ),
            ],
        ),
        (
            "What is used: units of cost",
            [
                lines(
                    "Audio heard",
                    "Minutes a minute: each call is one, its silence too.",
                    Query(
                        per_second(
                            "parley_provider_audio_seconds_total",
                            "provider",
                            'provider=~"$provider"',
                        ),
                        "{{provider}}",
                    ),
                    stacked=True,
                ),
                lines(
                    "Tokens",
                    "A second, as the provider counts them.",
                    Query(
                        per_second(
                            "parley_provider_tokens_total",
                            "provider, direction",
                            'provider=~"$provider"',
                        ),
                        "{{provider}} {{direction}}",
                    ),
                    stacked=True,
                ),
                lines(
                    "Characters spoken",
                    "A second, whether or not the caller heard them.",
                    Query(
                        per_second(
                            "parley_provider_characters_total",
                            "provider",
                            'provider=~"$provider"',
                        ),
                        "{{provider}}",
                    ),
                    stacked=True,
                ),
            ],
        ),
        (
            "Tools",
            [
                lines(
                    "Tool calls by outcome",
                    "invalid: the model's arguments do not fit. interrupted: the caller spoke.",
                    Query(
                        per_minute("parley_tool_calls_total", "tool, outcome"),
                        "{{tool}}: {{outcome}}",
                    ),
                    unit=PER_MINUTE,
                    width=12,
                    stacked=True,
                ),
                lines(
                    "Time of a tool call, p95",
                    "With its retries. The caller waits, or hears a filler.",
                    Query(quantile(0.95, "parley_tool_seconds", "tool"), "{{tool}}"),
                    unit="s",
                    width=12,
                ),
            ],
        ),
    ],
)

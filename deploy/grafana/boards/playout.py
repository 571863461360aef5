"""How the bot's audio reaches the caller, and the caller's audio the engine."""

from deploy.grafana.panels import (
    PER_MINUTE,
    Board,
    Query,
    Variable,
    heat,
    lines,
    per_minute,
    per_second,
    quantile,
    quantiles,
    stat,
)

HERE = 'instance=~"$gateway"'
LATENESS = "parley_playout_lateness_seconds"
TICK = ((None, "green"), (0.02, "orange"), (0.1, "red"))
"""A tick is 20 ms; the client holds about 200 ms."""


def late_ticks() -> str:
    """The share of ticks that came after the next one was due."""
    on_time = per_second(f"{LATENESS}_bucket", where=f'{HERE}, le="0.02"')
    return f"1 - {on_time} / {per_second(f'{LATENESS}_count', where=HERE)}"


BOARD = Board(
    uid="parley-playout",
    title="Parley: playout quality",
    description="Whether what is said arrives whole and in time, both ways.",
    variables=[Variable("gateway", "Gateway", "parley_conversations_active", "instance")],
    rows=[
        (
            "Now",
            [
                stat(
                    "Ticks late by a frame",
                    "The share of playout ticks that came 20 ms late or more: the gateway is "
                    "short of processor time.",
                    late_ticks(),
                    unit="percentunit",
                    width=6,
                    limits=((None, "green"), (0.001, "orange"), (0.01, "red")),
                ),
                stat(
                    "Lateness, p99",
                    "Of the playout's ticks.",
                    quantile(0.99, LATENESS, where=HERE),
                    unit="s",
                    width=6,
                    limits=TICK,
                ),
                stat(
                    "Underruns a turn",
                    "How often the caller's ear ran dry, over the turns.",
                    f"{per_second('parley_playout_underruns_total', where=HERE)}"
                    f" / {per_second('parley_turns_total', where=HERE)}",
                    width=6,
                    limits=((None, "green"), (0.05, "orange"), (0.2, "red")),
                ),
                stat(
                    "Callers' audio lost",
                    "Seconds lost of each second that callers were heard.",
                    "sum(rate(parley_stt_gap_seconds_total[$__rate_interval]))"
                    " / sum(rate(parley_provider_audio_seconds_total[$__rate_interval]))",
                    unit="percentunit",
                    width=6,
                    limits=((None, "green"), (0.001, "orange"), (0.01, "red")),
                ),
            ],
        ),
        (
            "To the caller",
            [
                lines(
                    "Lateness of the playout's ticks",
                    "One ticker serves all calls of a gateway. Late ticks of all gateways at once: "
                    "look at NATS and the nodes; of one: at its processor time.",
                    *quantiles(LATENESS, 0.5, 0.99, 0.999, where=HERE),
                    unit="s",
                    limits=TICK,
                ),
                heat("Lateness, all ticks", "The same, whole.", LATENESS, where=HERE),
                lines(
                    "Lateness by gateway, p99",
                    "One that stands out has a noisy neighbour, or too many calls.",
                    Query(quantile(0.99, LATENESS, "instance", HERE), "{{instance}}"),
                    unit="s",
                ),
                lines(
                    "Underruns",
                    "segment: in the middle of a sentence, the voice is slower than speech. "
                    "between: the next sentence was not there yet, the model is slow.",
                    Query(per_minute("parley_playout_underruns_total", "where", HERE), "{{where}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "How long the ear was dry, p95",
                    "After an underrun, until there was more.",
                    Query(quantile(0.95, "parley_playout_gap_seconds", "where", HERE), "{{where}}"),
                    unit="s",
                ),
                lines(
                    "Audio discarded",
                    "Frames that were not sent because NATS was away. Late audio is never sent.",
                    Query(per_minute("parley_media_discarded_total", "job"), "{{job}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
            ],
        ),
        (
            "From the caller",
            [
                lines(
                    "Callers' audio that never arrived",
                    "Seconds of audio missing, a second, by worker.",
                    Query(per_second("parley_stt_gap_seconds_total", "instance"), "{{instance}}"),
                    unit="s",
                ),
                lines(
                    "Recognition",
                    "How long the embedded recogniser works on one stretch of speech.",
                    *quantiles("parley_stt_recognition_seconds", 0.5, 0.95),
                    unit="s",
                ),
                lines(
                    "Finals that came too late",
                    "Hearings given up because a turn's last words did not come in time.",
                    Query(per_minute("parley_stt_late_finals_total", "instance"), "{{instance}}"),
                    unit=PER_MINUTE,
                ),
                lines(
                    "Messages that never arrived",
                    "Gaps in the numbers of a job's messages. Each costs a failover.",
                    Query(per_minute("parley_seq_gaps_total", "stage"), "{{stage}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "Messages dropped",
                    "fenced: of a turn that was interrupted, as it should be. overflow: somebody "
                    "is too slow. undecodable: two versions that do not fit.",
                    Query(per_minute("parley_messages_dropped_total", "reason"), "{{reason}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "Voice activity: conversations in one run",
                    "The model hears several conversations at once.",
                    *quantiles("parley_stt_voice_activity_batch_size", 0.5, 0.95),
                ),
            ],
        ),
    ],
)

"""What callers notice: how soon they are answered, whether they are let speak, how calls end."""

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
VOICE_TO_VOICE = "parley_turn_voice_to_voice_seconds"
INTERRUPT = "parley_interrupt_seconds"
TURNS = "parley_turns_total"
ANSWERED = ((None, "green"), (1.0, "orange"), (2.0, "red"))
"""People answer each other within 0.2 s; after 1 s a silence is noticed, after 2 s they ask."""


def failed_turns(where: str) -> str:
    """The share of turns without an answer."""
    failed = per_second(TURNS, where=f'{where}, outcome="failed"')
    return f"{failed} / {per_second(TURNS, where=where)}"


BOARD = Board(
    uid="parley-calls",
    title="Parley: calls",
    description="What callers notice. Begin here; the other boards say why.",
    variables=[Variable("gateway", "Gateway", "parley_conversations_active", "instance")],
    rows=[
        (
            "Now",
            [
                stat(
                    "Calls",
                    "Calls under way.",
                    f"sum(parley_conversations_active{{{HERE}}})",
                ),
                stat(
                    "Turns a minute",
                    "Turns that callers took, answered or not.",
                    f"60 * {per_second(TURNS, where=HERE)}",
                ),
                stat(
                    "Voice to voice, median",
                    "From the end of the caller's speech to the first audio of the answer.",
                    quantile(0.5, VOICE_TO_VOICE, where=HERE),
                    unit="s",
                    limits=ANSWERED,
                ),
                stat(
                    "Voice to voice, p95",
                    "One answer in twenty takes longer.",
                    quantile(0.95, VOICE_TO_VOICE, where=HERE),
                    unit="s",
                    limits=ANSWERED,
                ),
                stat(
                    "Turns that failed",
                    "The share of turns whose answer was lost: the caller heard an apology.",
                    failed_turns(HERE),
                    unit="percentunit",
                    limits=((None, "green"), (0.005, "orange"), (0.02, "red")),
                ),
                stat(
                    "Alerts firing",
                    "Alerts of Parley that fire now. What to do: docs/operations.md.",
                    'count(ALERTS{alertstate="firing", alertname=~"Parley.*"}) or vector(0)',
                    limits=((None, "green"), (1, "red")),
                ),
            ],
        ),
        (
            "Voice to voice",
            [
                lines(
                    "Voice to voice",
                    "From the end of the caller's speech to the first audio delivered.",
                    *quantiles(VOICE_TO_VOICE, 0.5, 0.95, 0.99, where=HERE),
                    unit="s",
                    limits=ANSWERED,
                ),
                lines(
                    "Stages, median",
                    "When a turn has reached each stage, all from the end of the caller's speech: "
                    "the step between two lines is what lies between them.",
                    Query(quantile(0.5, "parley_turn_stage_seconds", "stage", HERE), "{{stage}}"),
                    unit="s",
                ),
                heat(
                    "Voice to voice, all turns",
                    "Two bands mean two kinds of turn: another agent, provider or language.",
                    VOICE_TO_VOICE,
                    where=HERE,
                ),
            ],
        ),
        (
            "Turns",
            [
                lines(
                    "Turns by outcome",
                    "spoken: heard to the end. interrupted: the caller spoke over it. "
                    "failed: no answer. silent: nothing to say.",
                    Query(per_minute(TURNS, "outcome", HERE), "{{outcome}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "Voices over the bot",
                    "Pauses that became an interruption, pauses after which the bot went on, and "
                    "words that took no turn (yeah, right). Many resumed pauses: noise, or echo.",
                    Query(per_minute("parley_pauses_total", "outcome", HERE), "{{outcome}}"),
                    Query(per_minute("parley_backchannels_total", where=HERE), "backchannel"),
                    unit=PER_MINUTE,
                ),
                lines(
                    "Time to silence",
                    "From the onset of the caller's speech to the bot's last audio.",
                    *quantiles(INTERRUPT, 0.5, 0.95, where=HERE),
                    unit="s",
                ),
                lines(
                    "Early replies",
                    "Replies begun before the turn was surely over. Dropped ones cost money, "
                    "used ones save time.",
                    Query(per_minute("parley_early_replies_total", "outcome", HERE), "{{outcome}}"),
                    unit=PER_MINUTE,
                ),
                lines(
                    "Time that early replies save",
                    "How much sooner the first audio of a used one was there.",
                    *quantiles("parley_early_reply_gain_seconds", 0.5, 0.95, where=HERE),
                    unit="s",
                ),
                lines(
                    "Silence after a pause",
                    "How long the bot was silent before it went on.",
                    *quantiles("parley_pause_seconds", 0.5, 0.95, where=HERE),
                    unit="s",
                ),
            ],
        ),
        (
            "Calls",
            [
                lines(
                    "Calls by gateway",
                    "Calls that each gateway holds.",
                    Query(f"parley_conversations_active{{{HERE}}}", "{{instance}}"),
                    stacked=True,
                ),
                lines(
                    "How calls end",
                    "By reason.",
                    Query(per_minute("parley_conversations_total", "reason", HERE), "{{reason}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "Calls refused",
                    "By error code: no_capacity asks for more gateways or workers.",
                    Query(per_minute("parley_refusals_total", "code", HERE), "{{code}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "Failovers",
                    "Jobs lost under a call and given to another worker. Callers hear a pause.",
                    Query(per_minute("parley_failovers_total", "stage", HERE), "{{stage}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "Clients that came back",
                    "resumed: the call went on. not_resumable: too late, or unknown.",
                    Query(per_minute("parley_resumes_total", "outcome", HERE), "{{outcome}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "Connections",
                    "To the gateways. waiting: they are no calls, or not yet.",
                    Query(f"sum by (state) (parley_connections{{{HERE}}})", "{{state}}"),
                ),
                lines(
                    "Connections cut off",
                    "By reason. Many slow ones are an attack.",
                    Query(
                        per_minute("parley_connections_refused_total", "reason", HERE),
                        "{{reason}}",
                    ),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "Recordings",
                    "Of calls' sound, where it is kept. failed: the disk is full.",
                    Query(per_minute("parley_recordings_total", "outcome", HERE), "{{outcome}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
                lines(
                    "What clients did wrong",
                    "Errors sent to clients, by code.",
                    Query(per_minute("parley_client_errors_total", "code", HERE), "{{code}}"),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
            ],
        ),
        (
            "API keys",
            [
                lines(
                    "Calls by key",
                    "Calls that each key holds now, by its name. Without keys, there is nothing.",
                    Query(f"sum by (key) (parley_key_calls_active{{{HERE}}})", "{{key}}"),
                    stacked=True,
                ),
                lines(
                    "Minutes a minute by key",
                    "Of calls that are over, with their whole length.",
                    Query(per_second("parley_key_call_seconds_total", "key", HERE), "{{key}}"),
                    stacked=True,
                ),
                lines(
                    "Refused by a key's limits",
                    "Too many calls at once, or its minutes are used up.",
                    Query(
                        per_minute("parley_key_refusals_total", "key, code", HERE),
                        "{{key}}: {{code}}",
                    ),
                    unit=PER_MINUTE,
                    stacked=True,
                ),
            ],
        ),
    ],
)

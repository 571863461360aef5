"""What the gateway measures. Base units; never a conversation's id."""

from prometheus_client import Counter, Gauge, Histogram

from parley.metrics import start_at_zero
from parley.subjects import Stage

_STAGE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_PACE_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)

CONVERSATIONS = Gauge("parley_conversations_active", "Conversations that the gateway holds.")
CONVERSATIONS_CAPACITY = Gauge(
    "parley_conversations_capacity", "Conversations that the gateway can hold."
)
CONVERSATIONS_STARTED = Counter(
    "parley_conversations_started_total", "Conversations that were let in, new or resumed."
)
CONVERSATIONS_ENDED = Counter(
    "parley_conversations_total", "Conversations by how they ended.", ["reason"]
)
REFUSALS = Counter("parley_refusals_total", "Calls refused, by error code.", ["code"])
TURNS = Counter(
    "parley_turns_total", "Turns by outcome: spoken, interrupted, failed, silent.", ["outcome"]
)
STAGES = Histogram(
    "parley_turn_stage_seconds",
    "A turn's stages on the gateway's clock, each from the end of the caller's speech.",
    ["stage"],
    buckets=_STAGE_BUCKETS,
)
VOICE_TO_VOICE = Histogram(
    "parley_turn_voice_to_voice_seconds",
    "From the end of the caller's speech to the first audio delivered.",
    buckets=_STAGE_BUCKETS,
)
INTERRUPT = Histogram(
    "parley_interrupt_seconds",
    "From the onset of the caller's speech to the last audio delivered.",
    buckets=_STAGE_BUCKETS,
)
PAUSES = Counter(
    "parley_pauses_total",
    "Times that the bot fell silent because of voice over it: resumed, interrupted.",
    ["outcome"],
)
PAUSE = Histogram(
    "parley_pause_seconds", "How long it then was silent before it went on.", buckets=_STAGE_BUCKETS
)
BACKCHANNELS = Counter("parley_backchannels_total", "Words over the bot that took no turn.")
EARLY_REPLIES = Counter(
    "parley_early_replies_total",
    "Replies begun before the turn was surely over: used, dropped.",
    ["outcome"],
)
EARLY_REPLY_GAIN = Histogram(
    "parley_early_reply_gain_seconds",
    "How much sooner the first audio of such a reply is there.",
    buckets=_STAGE_BUCKETS,
)
PLAYOUT_LATENESS = Histogram(
    "parley_playout_lateness_seconds",
    "How late the playout's ticks come.",
    buckets=_PACE_BUCKETS,
)
UNDERRUNS = Counter(
    "parley_playout_underruns_total",
    "Times that the caller's ear ran dry, within a segment or between two.",
    ["where"],
)
PLAYOUT_GAP = Histogram(
    "parley_playout_gap_seconds",
    "How long the caller's ear then was dry, until there was more.",
    ["where"],
    buckets=_STAGE_BUCKETS,
)
JOBS = Counter(
    "parley_jobs_total",
    "Jobs by outcome: accepted, refused, no_capacity, timeout; then done, failed, lost.",
    ["stage", "outcome"],
)
FAILOVERS = Counter(
    "parley_failovers_total", "Jobs that were lost under a call and given to another.", ["stage"]
)
CLAIM = Histogram(
    "parley_job_claim_seconds", "Time to find a worker.", ["stage"], buckets=_PACE_BUCKETS
)
CLIENT_ERRORS = Counter("parley_client_errors_total", "What clients did wrong, by code.", ["code"])
WORKERS = Gauge("parley_workers", "Workers that the gateway sees.", ["stage"])
WORKERS_CAPACITY = Gauge("parley_workers_capacity", "Jobs that those can run at once.", ["stage"])
JETSTREAM = Gauge("parley_jetstream_ready", "1 while NATS keeps calls and records.")
RESUMES = Counter(
    "parley_resumes_total",
    "Clients that came back: resumed, not_resumable, unavailable (no store at hand).",
    ["outcome"],
)
STORE_WRITES = Counter(
    "parley_call_store_writes_total",
    "Writes of a call's record: stored, deleted, failed (tried again), taken (by another gateway).",
    ["outcome"],
)
STORE_LATENCY = Histogram(
    "parley_call_store_write_seconds", "Time of one such write.", buckets=_PACE_BUCKETS
)
RECORDS = Counter(
    "parley_records_total",
    "Events of conversations: recorded, failed (tried again), refused, dropped (too many wait).",
    ["outcome"],
)
RECORDINGS = Counter(
    "parley_recordings_total",
    "Recordings of calls' sound: kept, failed (the disk; the call goes on), gap (the disk was too "
    "slow: a hole), swept (deleted, too old), overdue (too old, but cannot be deleted).",
    ["outcome"],
)
RECORDING_BYTES = Counter(
    "parley_recordings_bytes_total", "What was written into recordings of calls' sound."
)
RECORDS_WAITING = Gauge("parley_records_waiting", "Events that wait to be recorded.")
KEY_CALLS_ACTIVE = Gauge("parley_key_calls_active", "Calls of each API key, by its name.", ["key"])
KEY_CALLS = Counter("parley_key_calls_total", "Calls that each API key has begun.", ["key"])
KEY_SECONDS = Counter("parley_key_call_seconds_total", "How long its calls lasted.", ["key"])
KEY_REFUSALS = Counter(
    "parley_key_refusals_total", "Its calls that were refused, by error code.", ["key", "code"]
)
CONNECTIONS = Gauge(
    "parley_connections",
    "Connections to the gateway: open, and those of them that are no calls.",
    ["state"],
)
CONNECTIONS_REFUSED = Counter(
    "parley_connections_refused_total",
    "Connections cut off: slow_request, slow_answer, bad_handshake; with too many of them silent, "
    "full.",
    ["reason"],
)

start_at_zero(
    CONVERSATIONS_ENDED,
    ["hang_up", "bot_hang_up", "idle", "client_gone", "draining", "too_long"],
)
start_at_zero(CONVERSATIONS_ENDED, ["no_capacity", "unusable_agent", "internal_error"])
start_at_zero(
    REFUSALS, ["no_capacity", "draining", "unauthorized", "unknown_agent", "not_resumable"]
)
start_at_zero(
    REFUSALS, ["token_expired", "token_used", "wrong_origin", "too_many_calls", "quota_used_up"]
)
start_at_zero(TURNS, ["spoken", "interrupted", "failed", "silent"])
start_at_zero(PAUSES, ["resumed", "interrupted"])
start_at_zero(EARLY_REPLIES, ["used", "dropped"])
start_at_zero(UNDERRUNS, ["segment", "between"])
start_at_zero(PLAYOUT_GAP, ["segment", "between"])
start_at_zero(
    JOBS,
    Stage,
    ["accepted", "refused", "no_capacity", "timeout", "done", "failed", "lost"],
)
start_at_zero(FAILOVERS, Stage)
start_at_zero(CLAIM, Stage)
start_at_zero(CLIENT_ERRORS, ["bad_message", "audio_too_fast", "frame_too_large"])
start_at_zero(RESUMES, ["resumed", "not_resumable", "unavailable"])
start_at_zero(STORE_WRITES, ["stored", "deleted", "failed", "taken"])
start_at_zero(RECORDS, ["recorded", "failed", "refused", "dropped"])
start_at_zero(RECORDINGS, ["kept", "failed", "gap", "swept", "overdue"])
start_at_zero(
    CONNECTIONS_REFUSED, ["slow_request", "slow_answer", "bad_handshake", "silent", "full"]
)

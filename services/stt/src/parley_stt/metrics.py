"""The stt service's own Prometheus metrics."""

from prometheus_client import Counter, Histogram

GAP_SECONDS = Counter(
    "parley_stt_gap_seconds_total", "Seconds of the callers' audio that never arrived."
)
LATE_FINALS = Counter(
    "parley_stt_late_finals_total", "Hearings given up because a final transcription did not come."
)
VOICE_ACTIVITY_BATCH = Histogram(
    "parley_stt_voice_activity_batch_size",
    "Conversations whose voice activity went through one run of the model.",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
RECOGNITION_SECONDS = Histogram(
    "parley_stt_recognition_seconds",
    "How long the embedded recogniser worked on one stretch of speech.",
    buckets=(0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2),
)

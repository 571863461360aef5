"""`make bench`: the figures of a spoken conversation on the embedded default.

The engine runs as separate processes, and is called over its native protocol in real time.
"""

import asyncio
import random
import statistics
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.barge_in import BargeIn, barge_in
from benchmarks.hearing import TEXTS, hear, total_error_rate
from benchmarks.pacing import pace
from benchmarks.replies import OPENERS, Reply, converse
from benchmarks.report import Figures, publish
from support.engine import FIVE_SENTENCES, ONE_SENTENCE, Engine

BARGE_INS = 12
"""Half of them into a reply of one sentence, half into one of five."""
TURNS = 3
"""Turns with each human opener."""
STAGES = (
    "end_of_turn",
    "final_transcription",
    "first_token",
    "first_sentence",
    "first_audio",
    "first_delivered",
)

NOTES = {
    "wer": "word error rate of the recordings of people in the recogniser's package",
    "reply_words_recognised": "share of the transcript's words that Whisper hears in the saved WAV",
    "barge_in_silence_p50_ms": "onset of the caller's speech to the bot's last sample played",
    "heard_words_error_max": "words by which the history differs from what Whisper hears in it",
    "pacing_lead_max_ms": "audio received ahead of real time, over a reply of a minute",
    "pacing_drift_ms": "change of that lead between the first and the last third",
    "pacing_dry_ms": "the longest that the ear had to wait within that reply",
    "voice_to_voice_p50_ms": "end of the caller's speech to the first audio delivered",
}


def main() -> None:
    """Run all and publish."""
    say = Console(stderr=True).print
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        say("hearing ...")
        heard = [asyncio.run(hear(engine.url, name)) for name in TEXTS]
        say("barge-in ...")
        interruptions = asyncio.run(_barge_ins(engine.url))
        say("pacing ...")
        paced = asyncio.run(pace(engine.url, "minute"))
        say("replies ...")
        asyncio.run(converse(engine, next(iter(OPENERS))))
        replies = [
            reply for name in OPENERS for reply in asyncio.run(converse(engine, name, TURNS))
        ]
    silences = [one.silence_ms for one in interruptions]
    figures: Figures = {
        "wer": round(total_error_rate(heard), 4),
        "reply_words_recognised": round(_mean_share(replies), 4),
        "barge_in_runs": len(interruptions),
        "barge_in_silence_p50_ms": round(statistics.median(silences), 1),
        "barge_in_silence_p95_ms": round(_percentile(silences, 95), 1),
        "heard_words_error_max": max(abs(one.words_wrong) for one in interruptions),
        "pacing_lead_max_ms": round(paced.lead_max_ms, 1),
        "pacing_drift_ms": round(paced.drift_ms, 1),
        "pacing_dry_ms": round(paced.dry_ms, 1),
        "pacing_reply_s": round(paced.audio_ms / 1000, 1),
        "voice_to_voice_turns": len(replies),
        "voice_to_voice_p50_ms": _median(replies, "first_delivered"),
    }
    figures |= {f"{stage}_p50_ms": _median(replies, stage) for stage in STAGES[:-1]}
    publish("talk", "A spoken conversation on the embedded default", figures, NOTES)


async def _barge_ins(url: str) -> list[BargeIn]:
    moments = random.Random(7)
    runs = []
    for number in range(BARGE_INS):
        one = number % 2 == 0
        agent, script, longest = (
            ("one", ONE_SENTENCE, 4.5) if one else ("five", FIVE_SENTENCES, 18.0)
        )
        runs.append(await barge_in(url, agent, script, moments.uniform(0.5, longest)))
    return runs


def _mean_share(replies: list[Reply]) -> float:
    return statistics.fmean(reply.share_recognised for reply in replies)


def _median(replies: list[Reply], stage: str) -> float:
    return round(statistics.median(float(one.timeline[f"{stage}_ms"]) for one in replies), 1)


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(len(ordered) * percent / 100))]


if __name__ == "__main__":
    main()

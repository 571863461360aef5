"""results/turns.md: the figures as a table, and every case that went wrong with the reason."""

from collections.abc import Sequence

from benchmarks.turns.figures import Figures, scored
from benchmarks.turns.running import Run
from benchmarks.turns.scoring import WORDS_WRONG

GOALS = {
    "yield_p50_ms": "<= 250",
    "yield_p95_ms": "<= 500",
    "yielded_share": ">= 0.98",
    "backchannel_selectivity": ">= 0.85",
    "noise_selectivity": ">= 0.9",
    "premature_share": "<= 0.05",
    "response_p50_ms": "<= 700",
    "heard_words_right_share": ">= 0.95",
    "heard_words_right_share_with_word_times": ">= 0.95",
    "heard_words_right_share_without": ">= 0.95",
    "vad_core_share_per_call": "< 0.015",
}
HOW = {
    "yield_p50_ms": "of those yielded to: onset to the last audio delivered of the turn it cut off",
    "yield_played_p50_ms": "the same to the last audio played",
    "yielded_share": "interruptions yielded to within 2 s",
    "interruptions_answered_share": "of these: an answer began within 2.5 s of their end",
    "backchannel_selectivity": "backchannels after which the bot went on, in 600 ms at most",
    "noise_selectivity": "the same of coughs, laughs, doors, keys, music",
    "vocal_tic_selectivity": "of these the coughs, laughs and cries of people",
    "not_directed_selectivity": "the same of speech 15 to 20 dB below the caller's",
    "answers_taken_share": "the same short words after a question: answered",
    "premature_share": "turns with pauses of 0.3 to 1.5 s inside: an answer before their end",
    "unanswered_share": "turns that had no answer within 6 s",
    "response_p50_ms": "end of a clear turn to the first audio played, embedded language model",
    "response_delivered_p50_ms": "the same to the first audio delivered",
    "heard_words_right_share": "cut replies whose history is within one word of the recording",
    "vad_core_share_per_call": "of a core: voice activity and end of turn, of 30 calls in a worker",
}
COURSE = (
    "The course is the first event of each kind: after the onset of what comes over the bot, "
    "after the end of what does not."
)


def page(result: Figures, rounds: Sequence[Sequence[Run]]) -> str:
    """The whole page; `rounds` are those of each transcriber."""
    taken = result["taken"]
    lines = ["# Turn-taking", "", *(f"- {key}: {value}" for key, value in taken.items()), ""]
    for runs in rounds:
        lines += _of(runs, result["per_transcriber"][runs[0].transcriber])
    lines += ["![yield, response and pauses](turns.png)", ""]
    return "\n".join(lines)


def wrong(run: Run) -> list[str]:
    """Every case that was not good, that could not be made, or whose history is wrong."""
    found = [
        f"{seen.case.kind}: {seen.case.name}: {one.why}; heard: {seen.recognised or 'no words'}"
        for seen, one in scored(run)
        if not one.good
    ]
    for seen, one in scored(run):
        if one.words_wrong is not None and abs(one.words_wrong) > WORDS_WRONG and seen.reply:
            tail, heard = seen.reply.claimed[-60:], seen.reply.heard[-60:]
            found.append(
                f"words: {seen.case.name}: {one.words_wrong:+d} words: history ...{tail!r}, "
                f"recording ...{heard!r}"
            )
    lost = [
        f"{one.case.kind}: {one.case.name}: NOT MADE: {one.lost}"
        for one in run.observations
        if one.lost
    ]
    return sorted(found) + sorted(lost)


def _of(runs: Sequence[Run], figures: Figures) -> list[str]:
    lines = [f"## {runs[0].transcriber}", ""]
    lines += ["| figure | median | rounds | goal | how |", "|---|---:|---|---:|---|"]
    lines += [
        f"| {name} | {_number(value)} | {_rounds(figures, name)} "
        f"| {GOALS.get(name, '')} | {HOW.get(name, '')} |"
        for name, value in figures.items()
        if not isinstance(value, dict)
    ]
    for name in ("pauses", "resumed_replies", "early_replies"):
        told = ", ".join(f"{key} {_number(value)}" for key, value in figures[name].items())
        lines += ["", f"**{name}**: {told}"]
    lines += [
        "",
        "| cases | scored | recorded from life | synthesised | not made |",
        "|---|---:|---:|---:|---:|",
    ]
    for kind, counts in figures["cases"].items():
        if "human" in counts:
            told = " | ".join(
                str(counts[key]) for key in ("scored", "human", "synthesised", "lost")
            )
            lines.append(f"| {kind} | {told} |")
    for number, run in enumerate(runs, 1):
        lines += ["", f"### What went wrong in round {number}", ""]
        lines += [f"- {_plain(one)}" for one in wrong(run)]
    lines += ["", f"### Every case of round {len(runs)}", "", COURSE, ""]
    lines += ["| kind | case | outcome | ms | pauses (ms) | course (ms) | recognised |"]
    lines += ["|---|---|---|---:|---|---|---|", *_rows(runs[-1]), ""]
    return lines


def _rounds(figures: Figures, name: str) -> str:
    return ", ".join(_number(one) for one in figures["spread"][name])


def _rows(run: Run) -> list[str]:
    rows = []
    for seen, one in scored(run):
        ms = one.yield_ms if one.yield_ms is not None else one.response_ms
        pauses = ", ".join(f"{pause:.0f}" for pause in one.pauses_ms)
        told = "good" if one.good else one.why
        cells = (str(one.kind), seen.case.name, told, "" if ms is None else f"{ms:.0f}", pauses)
        told_more = (seen.course, seen.recognised)
        rows.append(f"| {' | '.join(_plain(cell) for cell in cells + told_more)} |")
    return rows


def _plain(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")


def _number(value: object) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)

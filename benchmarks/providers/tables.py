"""The tables of docs/providers.md that are made, not written."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

from parley import providers
from parley.providers import Agent, Provider, Synthesizer, Transcriber
from parley.subjects import Stage

OURS = "parley-voice-"
SIGNS = {"pass": "✓", "fail": "**fails**"}

Outcomes = Mapping[str, Mapping[str, str]]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def between(text: str, name: str, content: str) -> str:
    """`text` with `content` between the marks of that name. Raises ValueError without them."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"there is no place for {name}")
    return f"{before}{begin}\n{content}\n{end}{after}"


def names(stage: Stage) -> list[str]:
    """The providers of this repository."""
    points = providers._entry_points(stage).values()
    return sorted(point.name for point in points if point.dist and point.dist.name.startswith(OURS))


def conformance(outcomes: Outcomes) -> str:
    """Provider x case, a table for each stage, with the reasons for what does not apply."""
    parts = []
    for stage in Stage:
        mine = {name: cases for name, cases in outcomes.items() if name.startswith(f"{stage}-")}
        cases = list(dict.fromkeys(case for found in mine.values() for case in found))
        short = [name.removeprefix(f"{stage}-") for name in mine]
        rows = [
            [case.replace("_", " "), *(_sign(mine[name].get(case, "")) for name in mine)]
            for case in cases
        ]
        parts.append(table([str(stage), *short], rows))
    return "\n\n".join([*parts, _reasons(outcomes)])


def _sign(outcome: str) -> str:
    return SIGNS.get(outcome, "–")


def _reasons(outcomes: Outcomes) -> str:
    reasons: dict[str, list[str]] = {}
    for provider, cases in outcomes.items():
        for case, outcome in cases.items():
            if outcome not in SIGNS:
                reasons.setdefault(outcome.partition(": ")[2], []).append(f"{provider} {case}")
    lines = [f"* {reason}: {', '.join(where)}" for reason, where in reasons.items()]
    return "\n".join(["Not applicable (–):", "", *lines])


def capabilities() -> str:
    """What each provider declares that it can do, by stage."""
    return "\n\n".join(_capabilities(stage) for stage in Stage)


def _capabilities(stage: Stage) -> str:
    every = {name: providers.load(stage, name) for name in names(stage)}
    # Third parties' may be installed here too, such as those of the tests.
    kinds = {n: kind for n, kind in every.items() if kind.__module__.startswith(f"parley_{stage}.")}
    found = {name: _declared(kind) for name, kind in kinds.items()}
    head = [field.name.replace("_", " ") for field in fields(_of(next(iter(kinds.values()))))]
    rows = [[name, *("yes" if can else "no" for can in found[name])] for name in kinds]
    return table([str(stage), *head], rows)


def _declared(kind: type[Provider]) -> list[bool]:
    return list(asdict(_of(kind)).values())


def _of(kind: type[Provider]) -> providers.TranscriberCapabilities | (
    providers.AgentCapabilities | providers.SynthesizerCapabilities
):
    if not issubclass(kind, Transcriber | Agent | Synthesizer):
        raise TypeError(kind)
    return kind.capabilities

"""The turn-taking machine in virtual time. Most calls are in `turns`; see timeline.py."""

import re
from itertools import product
from pathlib import Path
from textwrap import dedent

import pytest
from unit.gateway.virtual_call import Call, Transition, play

from parley.deciders import Decider, Evidence, Verdict
from parley.policies import Interruption
from parley.profiles import Profile
from parley_gateway.turntaking import Answer, HangUp, Interrupt, TurnTaking
from parley_gateway.turntaking.deciding import decider_for

CALLS = Path(__file__).parent / "turns"
DOCS = Path(__file__).parents[3] / "docs" / "turn-taking.md"
MUSEUM = """
    bot thinks 0.5, speaks 5.0 "The museum opens at nine every day but Monday."
    0.0 types "go"
    2.0-3.0 user "what about Monday"
"""


def written_calls() -> dict[str, tuple[str, str]]:
    """The calls of the folder: script and log, by file and title."""
    found = {}
    for path in sorted(CALLS.glob("*.txt")):
        for part in re.split(r"^== ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            title, _, body = part.partition("\n")
            script, _, log = body.partition("\n--\n")
            found[f"{path.stem}: {title}"] = (script, log.strip())
    return found


WRITTEN = written_calls()


@pytest.mark.parametrize("name", WRITTEN)
def test_call(name: str) -> None:
    script, expected = WRITTEN[name]
    assert play(script).splitlines() == expected.splitlines()


def test_the_docs_name_every_transition_and_no_other() -> None:
    taken = {one for script, _ in WRITTEN.values() for one in Call(script).transitions}
    named = documented()
    assert taken - named == set()
    assert named - taken == set()


def documented() -> set[Transition]:
    """The rows of the docs' table. Several states or actions: one transition for each."""
    section = DOCS.read_text(encoding="utf-8").split("## Every transition")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    found = set()
    for states, event, _, actions, afters in rows[2:]:
        for state, action, after in product(*map(parts, (states, actions, afters))):
            after_that = state if after == "the same" else after
            done = action.strip("—").replace(" + ", ", ")
            found.add(Transition(state, event.strip(), done, after_that))
    return found


def parts(cell: str) -> list[str]:
    return [one.strip().strip("`") for one in cell.split(",")]


# --- What the language cannot say


def taking(**profile: object) -> TurnTaking:
    agent = Profile.model_validate(profile)
    return TurnTaking(agent, decider_for(agent))


def test_several_finals_are_one_turn() -> None:
    turns = taking()
    turns.transcription(0.0, "my name is Alex.", is_final=True)
    turns.transcription(1.0, "I am tired.", is_final=True)
    assert turns.said == ["my name is Alex.", "I am tired."]
    assert turns.end_of_turn(1.5) == [Answer(1, "my name is Alex. I am tired.")]
    assert turns.end_of_turn(1.6) == []


def test_what_an_old_reply_does_changes_nothing() -> None:
    turns = taking()
    turns.user_text("hi")
    assert turns.user_text("no, this") == [Interrupt(1), Answer(2, "no, this", is_interrupt=True)]
    turns.reply_heard(1)
    assert turns.reply_ended(1.0, 1) == []
    assert turns.state.value == "thinking"
    turns.reply_heard(2)
    assert turns.reply_ended(2.0, 2) == []
    assert turns.state.value == "listening"


def test_a_caller_who_cannot_be_heard_is_not_idle() -> None:
    turns = taking(idle={"afterSeconds": 10})
    turns.begin(0.0)
    turns.active(8.0)
    assert turns.deadline == 18.0
    assert turns.tick(17.9) == []


def test_a_call_is_ended_once() -> None:
    turns = taking(idle={"afterSeconds": 10, "questions": [], "goodbye": ""})
    turns.begin(0.0)
    assert turns.tick(10.0) == [HangUp()]
    assert turns.deadline is None


def test_quiet_is_when_nobody_speaks_or_is_about_to() -> None:
    turns = taking()
    assert turns.quiet
    turns.speech_started(0.0)
    assert not turns.quiet
    turns.speech_ended(0.5)
    assert turns.quiet
    turns.transcription(0.7, "hi", is_final=False)
    assert not turns.quiet
    turns.end_of_turn(1.0)
    assert not turns.quiet


def test_more_is_heard_while_the_caller_speaks_and_no_reply_is_made() -> None:
    turns = taking(earlyReply=True)
    assert not turns.hears_more
    turns.speech_started(0.0)
    assert turns.hears_more
    turns.transcription(0.4, "how are you", is_final=False)
    assert turns.hears_more
    turns.speech_ended(0.5)
    assert not turns.hears_more
    turns.probable_end_of_turn(0.6)
    turns.end_of_turn(0.9)
    turns.speech_started(1.0)
    assert not turns.hears_more


def test_a_turn_of_which_parts_were_said_elsewhere_is_answered_as_a_whole() -> None:
    turns = taking()
    turns.restore(0.0, 3, ["my name is Alex."], replying=False)
    turns.transcription(1.0, "I am tired.", is_final=True)
    assert turns.end_of_turn(1.5) == [Answer(4, "my name is Alex. I am tired.")]


def test_a_nod_that_was_heard_elsewhere_takes_no_turn_here() -> None:
    turns = taking()
    turns.restore(0.0, 3, ["Mhm."], replying=True)
    assert [type(one).__name__ for one in turns.end_of_turn(0.5)] == ["Backchannel"]
    assert turns.state == "thinking"


# --- Deciders of others


class Stubborn(Decider):
    """Is never interrupted by less than a second."""

    def decide(self, evidence: Evidence) -> Verdict:
        return Verdict.INTERRUPT if evidence.voiced_ms >= 1000 else Verdict.RESUME


class Unsure(Decider):
    """Never knows."""

    def decide(self, evidence: Evidence) -> Verdict:
        return Verdict.WAIT


def test_another_decider_decides() -> None:
    assert play(MUSEUM, lambda policy: Stubborn(policy, "en")) == log("""
        0.00 answer 1 "go" > thinking
        0.50 bot heard > speaking
        3.50 backchannel 1 "what about Monday"
        5.50 bot ended > listening
    """)


def test_what_a_decider_does_not_know_does_not_cut_the_reply() -> None:
    assert play(MUSEUM, lambda policy: Unsure(policy, "en")) == log("""
        0.00 answer 1 "go" > thinking
        0.50 bot heard > speaking
        2.19 pause 1 > paused
        3.50 resume 1; backchannel 1 "what about Monday" > speaking
        6.81 bot ended > listening
    """)


def test_a_decider_is_told_what_is_known() -> None:
    seen: list[Evidence] = []

    class Curious(Unsure):
        def decide(self, evidence: Evidence) -> Verdict:
            seen.append(evidence)
            return super().decide(evidence)

    play(MUSEUM, lambda policy: Curious(policy, "en"))
    assert seen[0].bot_text == "The museum opens at nine"
    assert (seen[0].voiced_ms, seen[0].recognised_ms, seen[0].voice_ended) == (0, 0, False)
    assert not seen[0].answers_question and not seen[0].thinking
    last = seen[-1]
    assert (last.text, last.is_whole, last.voice_ended) == ("what about Monday", True, True)
    assert last.voiced_ms == pytest.approx(960)


def test_a_message_of_its_own_policy_has_a_decider_of_its_own() -> None:
    policies: list[Interruption] = []

    def make(policy: Interruption) -> Decider:
        policies.append(policy)
        return Unsure(policy, "en")

    own = {"text": "Hello.", "interruption": {"minWords": 3}}
    turns = TurnTaking(Profile.model_validate({"greeting": own}), make)
    turns.begin(0.0)
    assert policies[-1].min_words == 3
    turns.reply_heard(0)
    turns.reply_ended(1.0, 0)
    assert policies[-1].min_words == 1


def test_a_call_has_one_decider_for_each_policy() -> None:
    profile = Profile()
    make = decider_for(profile)
    own = profile.interruption.model_copy(update={"min_words": 3})
    assert make(profile.interruption) is make(profile.interruption)
    assert make(own) is make(own.model_copy())
    assert make(own) is not make(profile.interruption)
    assert decider_for(profile)(own) is not make(own)


# --- The language


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("1.0-2.0 whistles", "line 1, '1.0-2.0 whistles': not understood"),
        ("2.0-1.0 noise", "line 1, '2.0-1.0 noise': not understood"),
        ('0.0 types "a"\n1.0 sings "b"', "line 2, '1.0 sings \"b\"': not understood"),
        ("0-1 noise, loud 3", "line 1, '0-1 noise, loud 3': no such option: loud 3"),
        ("0-1 noise, late soon", "line 1, '0-1 noise, late soon': could not convert"),
        ("agent {intention: good}", "line 1, 'agent {intention: good}': 1 validation error"),
    ],
)
def test_a_script_with_a_mistake_says_where(script: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        play(script)


def log(text: str) -> str:
    return dedent(text).strip()

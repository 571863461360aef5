"""The decider `words`: what of what is said over the bot is meant to stop it."""

from dataclasses import replace

import pytest

from parley.deciders import Evidence, Verdict
from parley.policies import Interruption
from parley_gateway.turntaking.words import WordsDecider

YES, NO, WAIT = Verdict.INTERRUPT, Verdict.RESUME, Verdict.WAIT
BOT = "The museum opens at nine every day but Monday"
WHOLE = Evidence(
    voiced_ms=500,
    voice_ended=True,
    text="",
    recognised_ms=500,
    is_whole=True,
    confidence=0.9,
    bot_text=BOT,
    answers_question=False,
    thinking=False,
)
"""All that was said, in half a second."""
PART = replace(WHOLE, voiced_ms=800, recognised_ms=800, voice_ended=False, is_whole=False)
"""What is known after 0.8 s of voice that goes on."""


def verdict(evidence: Evidence, text: str, language: str = "en-US", **policy: object) -> Verdict:
    decider = WordsDecider(Interruption.model_validate(policy), language)
    return decider.decide(replace(evidence, text=text))


@pytest.mark.parametrize("text", ["Stop!", "what about Monday", "No.", "Yeah, but when?", "zwei"])
def test_words_interrupt(text: str) -> None:
    assert verdict(WHOLE, text) is YES
    assert verdict(PART, text) is YES


@pytest.mark.parametrize(
    "text", ["Mhm.", "Mama.", "Yeah, yeah.", "Oh, I see.", "THAT\u2019S RIGHT", "okay"]
)
def test_nods_do_not(text: str) -> None:
    assert verdict(WHOLE, text) is NO
    assert verdict(PART, text) is not YES


def test_a_nod_is_an_answer_where_something_was_asked() -> None:
    assert verdict(replace(WHOLE, answers_question=True), "Yes.") is YES


def test_voice_without_words_is_nothing_once_it_has_ended() -> None:
    assert verdict(WHOLE, "") is NO
    assert verdict(WHOLE, "...") is NO
    assert verdict(PART, "") is WAIT
    assert verdict(replace(PART, recognised_ms=0), "") is WAIT


def test_a_little_doubtful_voice_may_be_the_beginning_of_more() -> None:
    little = replace(WHOLE, voiced_ms=200, recognised_ms=200, confidence=0.3)
    assert verdict(little, "Dear,") is WAIT
    assert verdict(replace(little, voiced_ms=300), "Dear,") is NO
    assert verdict(replace(little, thinking=True), "Dear,") is NO
    assert verdict(little, "Mhm.") is NO
    assert verdict(little, BOT) is NO
    assert verdict(little, "") is NO


def test_half_a_word_is_waited_for() -> None:
    assert verdict(replace(PART, voiced_ms=250, recognised_ms=250), "muse") is WAIT


def test_a_nod_is_believed_before_its_end_if_it_takes_long() -> None:
    young, longer = (replace(PART, voiced_ms=ms, recognised_ms=ms) for ms in (250, 400))
    assert verdict(young, "Yeah.") is WAIT
    assert verdict(longer, "Yeah.") is NO
    assert verdict(replace(longer, answers_question=True), "Yeah.") is WAIT


def test_a_short_word_has_to_be_sure() -> None:
    assert verdict(replace(WHOLE, confidence=0.4), "tough") is NO
    assert verdict(replace(WHOLE, confidence=0.9), "tough") is YES
    assert verdict(replace(WHOLE, confidence=0.55), "stop") is YES
    assert verdict(replace(WHOLE, confidence=0.4), "no") is NO
    assert verdict(replace(WHOLE, confidence=0.4), "no stop") is YES


def test_the_more_words_the_less_sure_each_has_to_be() -> None:
    heavy_accent = replace(WHOLE, confidence=0.42)
    assert verdict(heavy_accent, "Monday then") is NO
    assert verdict(heavy_accent, "on Monday then") is YES
    assert verdict(replace(WHOLE, confidence=0.38), "on Monday then") is NO


@pytest.mark.parametrize("text", ["museum opens at", "Museum opens at nine, every day."])
def test_the_bots_own_words_are_an_echo(text: str) -> None:
    assert verdict(WHOLE, text) is NO
    assert verdict(PART, text) is not YES


def test_one_or_two_are_an_echo_where_the_bot_has_just_said_them() -> None:
    assert verdict(WHOLE, "nine every") is NO
    assert verdict(WHOLE, "museum") is YES
    assert verdict(replace(WHOLE, answers_question=True), "Monday") is YES


def test_an_echo_with_more_behind_it_is_the_caller() -> None:
    assert verdict(PART, "opens at nine but what about") is YES


def test_as_many_words_as_the_policy_wants() -> None:
    assert verdict(WHOLE, "stop", minWords=2) is WAIT
    assert verdict(WHOLE, "stop now", minWords=2) is YES


def test_no_words_wanted_means_that_voice_will_do() -> None:
    nothing = replace(PART, recognised_ms=0)
    assert verdict(nothing, "", minWords=0) is YES


def test_the_policys_backchannels_take_the_place_of_the_languages() -> None:
    assert verdict(WHOLE, "splendid", backchannels=["Splendid!"]) is NO
    assert verdict(WHOLE, "okay", backchannels=["Splendid!"]) is YES


@pytest.mark.parametrize(
    ("language", "nod", "words"),
    [("de-DE", "ja genau", "nein"), ("fr", "d'accord", "arrêtez"), ("es-MX", "claro", "espera")],
)
def test_languages_have_their_own(language: str, nod: str, words: str) -> None:
    assert verdict(WHOLE, nod, language) is NO
    assert verdict(replace(WHOLE, confidence=0.55), words, language) is YES


def test_a_language_without_a_list_has_the_english_one() -> None:
    assert verdict(WHOLE, "mhm", "fi-FI") is NO

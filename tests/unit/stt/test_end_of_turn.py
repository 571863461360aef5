"""How complete a turn seems by its words, and how long it is waited for."""

import pytest

from parley_stt.end_of_turn import (
    COMPLETE,
    DOUBTFUL_END,
    SURE_END,
    UNFINISHED,
    UNKNOWN,
    completeness,
    silence_ms,
)
from parley_stt.unfinished import ends_open, is_answer, is_unfinished


@pytest.mark.parametrize(
    "text",
    [
        "I would like to",
        "I would like to.",
        "Can you send it to the?",
        "I'd like a table for two and",
        "It's good, but.",
        "My name is, uh,",
        "My name is, uh.",
        "Could you tell me, um",
        "I was wondering if",
        "The thing is \u2014",
        "Yes. I was.",
        "I don\u2019t want it because I\u2019m.",
        "Is there any?",
        "What I",
        "Um.",
        "My number is 415",
        "415-555",
        "It's five five five",
        "Four, one.",
        "The number I have is five.",
    ],
)
def test_half_a_phrase_calls_for_more(text: str) -> None:
    assert is_unfinished(text)
    assert completeness(text, "en-US", punctuates=True, sentence_end=1.0) == UNFINISHED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "What is it for?",
        "What time is it.",
        "Tell me what it is.",
        "Where are you from",
        "Who is he?",
        "I think so.",
        "Hold on.",
        "Yes, it is.",
        "That's all I need.",
        "So?",
        "What?",
        "It is at seven.",
        "A table for two, please.",
        "June 5.",
        "My number is 415 555 0132.",
        "I would like to. Never mind.",
        "What is your name",
    ],
)
def test_what_is_whole_does_not(text: str) -> None:
    assert not is_unfinished(text)


@pytest.mark.parametrize(
    "text", ["Yes.", "No, thanks.", "okay", "Yeah, sure", "Thank you. Goodbye"]
)
def test_short_answers_are_complete_whatever_the_transcriber_thinks(text: str) -> None:
    assert is_answer(text)
    assert completeness(text, "en", punctuates=False, sentence_end=0.1) == COMPLETE


def test_a_short_answer_with_a_comma_may_be_the_beginning_of_a_longer_one() -> None:
    assert completeness("Yes,", "en", punctuates=True, sentence_end=None) == UNFINISHED
    assert completeness("Yes,", "en", punctuates=True, sentence_end=0.2) == UNFINISHED
    assert completeness("Yes,", "en", punctuates=True, sentence_end=0.9) < COMPLETE
    assert completeness("Yes,", "en", punctuates=True, sentence_end=0.99) == COMPLETE


@pytest.mark.parametrize("text", ["Yes, I", "of", "", "Okay so", "Yes, but no"])
def test_what_only_begins_like_an_answer_is_none(text: str) -> None:
    assert not is_answer(text)


def of_flights(sentence_end: float | None, punctuates: bool = False, end: str = "") -> float:
    text = f"I'm looking for a flight{end}"
    return completeness(text, "en", punctuates=punctuates, sentence_end=sentence_end)


def test_the_transcribers_probability_decides_of_whole_phrases() -> None:
    assert of_flights(0.95) == COMPLETE
    assert of_flights(0.2) == UNFINISHED
    assert UNFINISHED < of_flights(DOUBTFUL_END + 0.05) < of_flights(SURE_END - 0.05) < COMPLETE


def test_a_question_is_whole_rather_than_not() -> None:
    assert of_flights(0.5, end=".") < of_flights(0.5, end="?")
    assert of_flights(0.15, end="?") == UNFINISHED


@pytest.mark.parametrize("end", [",", " \u2013", "..."])
def test_a_mark_calls_for_more_where_the_transcriber_knows_no_better(end: str) -> None:
    assert ends_open(f"If you have a table{end}")
    assert of_flights(None, end=end) == UNFINISHED
    assert of_flights(0.95, end=end) == COMPLETE
    assert not ends_open("If you have a table.")


def test_a_full_stop_counts_where_it_means_something() -> None:
    assert of_flights(None, punctuates=True, end=".") == COMPLETE
    assert of_flights(None, punctuates=True, end="?") == COMPLETE
    assert of_flights(None, punctuates=True) == UNFINISHED
    assert of_flights(None, punctuates=False, end=".") == UNKNOWN


@pytest.mark.parametrize("text", ["", "...", "\u266a"])
def test_without_words_nothing_is_known(text: str) -> None:
    assert completeness(text, "en", punctuates=True, sentence_end=1.0) == UNKNOWN


def test_english_words_mean_nothing_in_other_languages() -> None:
    assert completeness("Das war an.", "de-DE", punctuates=True, sentence_end=None) == COMPLETE
    assert completeness("Das war an", "de-DE", punctuates=True, sentence_end=None) == UNFINISHED


def test_the_less_complete_the_longer_the_silence() -> None:
    assert silence_ms(COMPLETE, 400, 1800) == 400
    assert silence_ms(UNKNOWN, 400, 1800) == 1100
    assert silence_ms(UNFINISHED, 400, 1800) == 1800


@pytest.mark.parametrize("longest", [0, 100, 400])
def test_without_room_silence_alone_decides(longest: float) -> None:
    assert {silence_ms(complete, 400, longest) for complete in (0.0, 0.3, 1.0)} == {400}

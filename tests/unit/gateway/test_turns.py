"""Whose turn it is, and what interrupts."""

import pytest

from parley.profiles import Interruption
from parley_gateway.turns import Answer, Interrupt, State, TurnTaking


def taking(**policy: object) -> TurnTaking:
    return TurnTaking(Interruption.model_validate(policy))


def ask(turns: TurnTaking, text: str = "hello there") -> None:
    turns.speech_started()
    turns.speech_progress(500)
    turns.transcription(text, is_final=True)
    turns.end_of_turn()


def test_a_finished_utterance_is_answered_once() -> None:
    turns = taking()
    turns.speech_started()
    assert turns.speech_progress(900) == []
    assert turns.transcription("what is", is_final=False) == []
    assert turns.transcription("what is the time", is_final=True) == []
    assert turns.end_of_turn() == [Answer(1, "what is the time", is_interrupt=False)]
    assert turns.end_of_turn() == []
    assert turns.state is State.THINKING


def test_several_finals_are_one_turn() -> None:
    turns = taking()
    turns.transcription("my name is Alex.", is_final=True)
    turns.transcription("I am tired.", is_final=True)
    assert turns.end_of_turn() == [Answer(1, "my name is Alex. I am tired.", is_interrupt=False)]


def test_silence_and_noise_are_no_turn() -> None:
    turns = taking()
    turns.speech_started()
    turns.speech_progress(900)
    turns.transcription("", is_final=True)
    assert turns.end_of_turn() == []
    assert turns.state is State.LISTENING


def test_speech_over_the_bot_interrupts_at_its_threshold() -> None:
    turns = taking(minSpeechMs=200)
    ask(turns)
    turns.reply_heard(1)
    turns.speech_started()
    assert turns.speech_progress(192) == []
    assert turns.speech_progress(224) == [Interrupt(1)]
    assert turns.speech_progress(320) == []
    assert turns.state is State.INTERRUPTED
    turns.transcription("no, the other one", is_final=True)
    assert turns.end_of_turn() == [Answer(2, "no, the other one", is_interrupt=True)]


def test_thinking_has_a_threshold_of_its_own() -> None:
    turns = taking(minSpeechMs=100, minSpeechMsThinking=400)
    ask(turns)
    turns.speech_started()
    assert turns.speech_progress(300) == []
    assert turns.speech_progress(400) == [Interrupt(1)]


def test_words_can_be_asked_for_besides_voice() -> None:
    turns = taking(minWords=2)
    ask(turns)
    turns.reply_heard(1)
    turns.speech_started()
    assert turns.speech_progress(600) == []
    assert turns.transcription("stop", is_final=False) == []
    assert turns.transcription("stop it", is_final=False) == [Interrupt(1)]


def test_a_short_word_over_the_bot_is_answered_when_it_ends() -> None:
    turns = taking(minSpeechMs=400)
    ask(turns)
    turns.reply_heard(1)
    turns.speech_started()
    turns.speech_progress(150)
    turns.transcription("stop", is_final=True)
    assert turns.end_of_turn() == [Interrupt(1), Answer(2, "stop", is_interrupt=True)]


def test_noise_that_stopped_a_reply_before_it_was_heard_does_not_eat_the_turn() -> None:
    turns = taking()
    ask(turns)
    turns.speech_started()
    assert turns.speech_progress(400) == [Interrupt(1)]
    assert turns.end_of_turn() == [Answer(2, "", is_interrupt=False)]


def test_noise_over_a_reply_leaves_the_floor_to_the_caller() -> None:
    turns = taking()
    ask(turns)
    turns.reply_heard(1)
    turns.speech_started()
    turns.speech_progress(400)
    assert turns.end_of_turn() == []
    assert turns.state is State.LISTENING


def test_protected_speech_is_not_interrupted_and_what_was_said_is_answered_after() -> None:
    turns = taking(enabled=False)
    ask(turns)
    turns.reply_heard(1)
    turns.speech_started()
    assert turns.speech_progress(2000) == []
    turns.transcription("and tomorrow", is_final=True)
    assert turns.end_of_turn() == []
    assert turns.reply_ended(1) == [Answer(2, "and tomorrow", is_interrupt=False)]


@pytest.mark.parametrize("enabled", [True, False])
def test_an_explicit_interrupt_always_works(enabled: bool) -> None:
    turns = taking(enabled=enabled)
    ask(turns)
    turns.reply_heard(1)
    assert turns.interrupt() == [Interrupt(1)]
    assert turns.interrupt() == []
    assert turns.state is State.LISTENING


def test_typed_text_interrupts_and_is_answered() -> None:
    turns = taking()
    assert turns.user_text("hi") == [Answer(1, "hi", is_interrupt=False)]
    turns.reply_heard(1)
    assert turns.user_text("stop") == [Interrupt(1), Answer(2, "stop", is_interrupt=True)]


def test_words_said_before_a_typed_turn_belong_to_it() -> None:
    turns = taking()
    turns.transcription("about tomorrow:", is_final=True)
    assert turns.user_text("at nine") == [Answer(1, "about tomorrow: at nine", is_interrupt=False)]
    assert turns.end_of_turn() == []


def test_the_greeting_is_turn_zero_and_can_be_interrupted() -> None:
    turns = taking()
    turns.greeting_begins()
    turns.reply_heard(0)
    turns.speech_started()
    assert turns.speech_progress(300) == [Interrupt(0)]


def test_the_end_of_an_old_reply_changes_nothing() -> None:
    turns = taking()
    ask(turns)
    turns.user_text("no, this")
    assert turns.reply_ended(1) == []
    turns.reply_heard(1)
    assert turns.state.value == "thinking"
    turns.reply_heard(2)
    assert turns.reply_ended(2) == []
    assert turns.state.value == "listening"

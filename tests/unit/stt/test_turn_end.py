"""What is known of a turn in its pauses: which text counts, and until when."""

import pytest

from parley.messages import HearingSpec
from parley.providers import Heard, TranscriberCapabilities
from parley_stt.turn_end import TurnEnd

SHORT, BETWEEN, LONG = 400, 1100, 1800


def turn_end(longest: int = LONG, detects: bool = False) -> TurnEnd:
    spec = HearingSpec(
        provider="test", sample_rate=16_000, endpointing_ms=SHORT, endpointing_max_ms=longest
    )
    return TurnEnd(spec, TranscriberCapabilities(detects_end_of_turn=detects, punctuates=True))


def partial(text: str) -> Heard:
    return Heard(text, is_final=False)


def test_nothing_is_known_until_the_text_is_there() -> None:
    one = turn_end()
    one.hush(1000)
    assert one.silence_ms == one.usual_ms == BETWEEN
    one.hear(partial("How are you?"), 1192)
    assert one.silence_ms == SHORT
    one.hear(partial("How are you and"), 1192)
    assert one.silence_ms == one.longest_ms == LONG


def test_text_without_the_last_words_does_not_count() -> None:
    one = turn_end()
    one.hear(partial("I want to fly."), 900)
    one.hush(1000)
    assert one.silence_ms == BETWEEN
    assert not one.becomes_likely()


def test_text_that_is_there_before_the_pause_is_sure_counts() -> None:
    one = turn_end()
    one.hush(1000)
    one.hear(partial("Stop."), 1096)
    assert one.silence_ms == SHORT
    one.hush(1000)
    assert one.silence_ms == SHORT
    assert one.becomes_likely()


def test_a_likely_end_is_news_once_for_the_same_words() -> None:
    one = turn_end()
    one.hush(1000)
    one.hear(partial("I want to fly."), 1192)
    assert one.becomes_likely()
    one.hear(partial("I want to fly."), 1300)
    assert not one.becomes_likely()
    one.hear(partial("I want to fly home."), 1400)
    assert one.becomes_likely()


def test_each_pause_is_judged_anew() -> None:
    one = turn_end()
    one.hush(1000)
    one.hear(partial("I want to fly."), 1192)
    assert one.becomes_likely()
    one.speak()
    assert one.silence_ms == BETWEEN
    one.hush(2000)
    assert one.silence_ms == BETWEEN
    one.hear(partial("I want to fly. Home."), 2192)
    assert one.silence_ms == SHORT
    assert one.becomes_likely()


def test_the_turns_earlier_finals_belong_to_its_text() -> None:
    one = turn_end()
    one.hear(Heard("My number is", is_final=True), 900)
    one.hush(1000)
    one.hear(partial("five."), 1192)
    assert one.silence_ms == LONG
    one.begin()
    one.hush(2000)
    one.hear(partial("five."), 2192)
    assert one.silence_ms == LONG, "a digit alone"
    one.hear(partial("At five."), 2192)
    assert one.silence_ms == SHORT


def test_the_transcriber_knows_better() -> None:
    one = turn_end()
    one.hush(1000)
    one.hear(partial("I want to"), 1192)
    one.expect(over=True)
    assert one.silence_ms == SHORT
    assert not one.becomes_likely(), "it is told already"
    one.expect(over=False)
    assert one.silence_ms == LONG


@pytest.mark.parametrize("one", [turn_end(longest=0), turn_end(detects=True)])
def test_where_silence_or_the_transcriber_decides_text_does_not(one: TurnEnd) -> None:
    usual = one.usual_ms
    one.hush(1000)
    one.hear(partial("How are you?"), 1192)
    assert one.silence_ms == usual
    assert not one.becomes_likely()

"""What was heard of a turn, over its segments."""

import pytest

from parley.marks import Mark
from parley_gateway.spoken import SpokenTurn


def turn() -> SpokenTurn:
    spoken = SpokenTurn()
    first = spoken.add("Hello there.")
    spoken.add_marks(first, [Mark("Hello", 0, 0, 400), Mark("there.", 6, 500, 900)])
    spoken.add_audio(first, 1000)
    spoken.complete(first)
    second = spoken.add("How are you?")
    spoken.add_marks(
        second, [Mark("How", 0, 0, 200), Mark("are", 4, 200, 400), Mark("you?", 8, 400, 800)]
    )
    spoken.add_audio(second, 300)
    return spoken


def test_to_the_word_across_segments() -> None:
    spoken = turn()
    assert spoken.text_up_to(0) == ""
    assert spoken.text_up_to(100) == ""
    assert spoken.text_up_to(250) == "Hello"
    assert spoken.text_up_to(950) == "Hello there."
    assert spoken.text_up_to(1000) == "Hello there."
    assert spoken.text_up_to(1150) == "Hello there. How"
    assert spoken.text_up_to(1390) == "Hello there. How are"
    assert spoken.text == "Hello there. How are you?"


def test_a_segment_under_way_is_known_as_such() -> None:
    spoken = turn()
    assert spoken.mid_segment
    spoken.complete(1)
    assert not spoken.mid_segment
    assert spoken.knows(1)
    assert not spoken.knows(2)


def test_a_segment_without_audio_was_not_heard() -> None:
    spoken = SpokenTurn()
    spoken.add("Hello.")
    assert spoken.text_up_to(0) == ""
    assert spoken.outstanding_ms > 0


# --- Another voice goes on


@pytest.mark.parametrize("offset", [-(10**9), -1, 12, 10**9])
def test_marks_outside_of_the_text_are_none(offset: int) -> None:
    spoken = SpokenTurn()
    segment = spoken.add("Hello there.")
    spoken.add_marks(segment, [Mark("Hello", 0, 0, 400), Mark("w", offset, 0, 1)])
    spoken.add_audio(segment, 1000)
    assert spoken.text_up_to(300) == "Hello"
    spoken.cut(500)
    assert spoken.text == "Hello there."


def test_nothing_delivered_of_a_segment_means_that_it_is_spoken_anew() -> None:
    spoken = turn()
    spoken.cut(delivered_ms=900)
    assert spoken.audio_ms == 1000
    assert [one.text for one in spoken.segments] == ["Hello there.", "How are you?"]
    assert spoken.first_incomplete == 1


def test_a_segment_that_is_partly_delivered_goes_on_at_the_next_word() -> None:
    spoken = turn()
    spoken.cut(delivered_ms=1150)
    assert [one.text for one in spoken.segments] == ["Hello there.", "How", "are you?"]
    assert spoken.audio_ms == 1200
    assert spoken.first_incomplete == 2
    assert spoken.text == "Hello there. How are you?"
    assert spoken.text_up_to(1190) == "Hello there. How"


def test_a_word_that_broke_off_is_said_again() -> None:
    spoken = turn()
    spoken.cut(delivered_ms=1250)
    assert [one.text for one in spoken.segments] == ["Hello there.", "How", "are you?"]
    assert spoken.audio_ms == 1250


def test_a_segment_whose_audio_is_all_there_is_not_spoken_again() -> None:
    spoken = SpokenTurn()
    spoken.add("Yes.")
    spoken.add_marks(0, [Mark("Yes.", 0, 0, 400)])
    spoken.add_audio(0, 500)
    spoken.cut(delivered_ms=450)
    assert spoken.first_incomplete == len(spoken) == 1


def test_what_waits_behind_the_cut_keeps_its_order() -> None:
    spoken = turn()
    spoken.add("Fine.")
    spoken.cut(delivered_ms=1150)
    assert [one.text for one in spoken.segments][2:] == ["are you?", "Fine."]
    assert spoken.text == "Hello there. How are you? Fine."


def test_no_word_is_cut_in_two() -> None:
    spoken = SpokenTurn()
    spoken.add('He said "well-known words".')
    marks = [("He", 0), ("said", 3), ("well", 9), ("known", 14), ("words", 20)]
    spoken.add_marks(
        0, [Mark(word, at, i * 100, i * 100 + 90) for i, (word, at) in enumerate(marks)]
    )
    spoken.add_audio(0, 450)
    spoken.cut(delivered_ms=210)
    assert [one.text for one in spoken.segments] == ['He said "well-known', 'words".']
    assert spoken.audio_ms == 400


def test_a_voice_without_marks_goes_on_about_where_it_stopped() -> None:
    spoken = SpokenTurn()
    spoken.add("one two three four five six seven eight nine ten")
    spoken.add_audio(0, 1600)
    spoken.cut(delivered_ms=1500)
    said, rest = (one.text for one in spoken.segments)
    assert 4 <= len(said.split()) <= 6
    assert f"{said} {rest}" == "one two three four five six seven eight nine ten"


def test_what_nobody_will_speak_does_not_count_as_spoken() -> None:
    spoken = turn()
    spoken.cut(delivered_ms=1150)
    spoken.drop_incomplete()
    assert spoken.text == "Hello there. How"


def test_what_was_heard_in_another_gateways_time_comes_first() -> None:
    spoken = SpokenTurn("So far.")
    spoken.add("And on.")
    assert spoken.text_up_to(0) == "So far."
    assert spoken.text == "So far. And on."


@pytest.mark.parametrize(
    ("heard_ms", "begin_ms"), [(0, 0), (250, 200), (95, 95), (150, 100), (1150, 1100), (5000, 5000)]
)
def test_a_word_that_was_stopped_begins_again(heard_ms: float, begin_ms: float) -> None:
    spoken = SpokenTurn()
    for text in ("one two three", "four five six"):
        at = spoken.add(text)
        marks = [
            Mark(word, text.index(word), nth * 100, nth * 100 + 90)
            for nth, word in enumerate(text.split())
        ]
        spoken.add_marks(at, marks)
        spoken.add_audio(at, 1000)
        spoken.complete(at)
    assert spoken.word_begin_ms(heard_ms) == begin_ms


def test_a_voice_without_marks_begins_its_word_again_by_its_share() -> None:
    spoken = SpokenTurn()
    spoken.add("one two three four five")
    spoken.add_audio(0, 2300)
    spoken.complete(0)
    assert spoken.word_begin_ms(500) == pytest.approx(400)
    assert spoken.word_begin_ms(1000) == pytest.approx(800)

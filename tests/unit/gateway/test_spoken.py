"""What was heard of a turn, over its segments."""

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

"""Marks, the transcript, and fences."""

import pytest

from parley.interrupts import Fence, InterruptibleEvent
from parley.marks import Mark, message_up_to, share_marks
from parley.sequence import Sequence
from parley.transcript import Transcript

TEXT = 'He said "no," twice.'
MARKS = [Mark("He", 0, 0, 100), Mark("said", 3, 100, 300), Mark("no", 9, 400, 600),
         Mark("twice", 14, 700, 1000)]  # fmt: skip


@pytest.mark.parametrize(
    ("ms", "heard"),
    [(0, ""), (40, ""), (60, "He"), (250, "He said"), (450, "He said"), (550, 'He said "no,"'),
     (840, 'He said "no,"'), (860, TEXT), (5000, TEXT)],
)  # fmt: skip
def test_a_word_counts_from_its_middle_with_its_punctuation(ms: float, heard: str) -> None:
    assert message_up_to(TEXT, MARKS, ms, 1100) == heard


def test_without_marks_words_are_laid_over_the_audio_by_their_share() -> None:
    text = "one two three four"
    assert message_up_to(text, [], 500, 1000) == "one two"
    assert message_up_to(text, [], 999, 1000) == text
    assert message_up_to(text, [], 300, None) == "one"
    assert share_marks("a a a", 500) == [
        Mark("a", 0, 0, 100), Mark("a", 2, 200, 300), Mark("a", 4, 400, 500)
    ]  # fmt: skip
    assert message_up_to("", [], 10, None) == ""


def test_history_alternates_and_forgets_what_was_not_heard() -> None:
    transcript = Transcript("Be kind.")
    transcript.add_human_message(1, "Hello.")
    transcript.add_bot_message(1, "Hello, how", cut_off=True)
    transcript.add_human_message(2, "Wait.")
    transcript.add_bot_message(2, "", cut_off=True)
    transcript.add_human_message(3, "I meant hi.")
    assert [(m.role, m.content) for m in transcript.to_messages()] == [
        ("system", "Be kind."),
        ("user", "Hello."),
        ("assistant", "Hello, how"),
        ("user", "Wait. I meant hi."),
    ]


def test_the_last_bot_message_can_be_cut_off() -> None:
    transcript = Transcript()
    transcript.update_last_bot_message_on_cut_off("nothing to cut")
    transcript.add_bot_message(1, "One two three.")
    transcript.update_last_bot_message_on_cut_off("One two")
    assert transcript.last_bot_message() == transcript.entries[0]
    assert (transcript.entries[0].text, transcript.entries[0].cut_off) == ("One two", True)
    transcript.update_last_bot_message_on_cut_off("")
    assert transcript.entries == []


def test_a_fence_holds_back_interrupted_turns_only() -> None:
    fence = Fence()
    old, new = InterruptibleEvent("old", 1), InterruptibleEvent("new", 2)
    protected = InterruptibleEvent("protected", 1, is_interruptible=False)
    fence.move(1)
    fence.move(0)
    assert (fence.passes(old), fence.passes(new), fence.passes(protected)) == (False, True, True)
    assert (old.interrupted, new.interrupted, protected.interrupted) == (True, False, False)
    assert not old.interrupt()
    assert not protected.interrupt()


def test_gaps_are_counted_and_repeats_dropped() -> None:
    sequence = Sequence("stt")
    assert [sequence.admit(seq) for seq in (0, 1, 1, 4, 3, 5)] == [
        True, True, False, True, False, True
    ]  # fmt: skip
    assert sequence.missing == 2

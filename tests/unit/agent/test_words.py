"""Words as they end, and where sentences begin."""

import pytest

from parley_agent.words import Words, words_of


def test_a_word_is_given_once_it_has_ended() -> None:
    words = Words()
    assert [word.key for word in words.push("I can")] == ["i"]
    assert [word.key for word in words.push("not do")] == ["cannot"]
    assert words.left.strip() == "do"
    assert [word.key for word in words.end()] == ["do"]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Don’t, don't!", ["dont", "dont"]),
        ("**Bold** and _it`al`ic_", ["bold", "and", "italic"]),
        ("well-known—yes", ["well", "known", "yes"]),
        ("3.5 km, 'quoted' (so)", ["3", "5", "km", "quoted", "so"]),
        ("Straße\n\nÉté 😀 …", ["strasse", "été"]),
        ("…", []),
    ],
)
def test_keys_hold_neither_case_nor_markup(text: str, keys: list[str]) -> None:
    assert [word.key for word in words_of(text)] == keys


@pytest.mark.parametrize(
    ("text", "beginnings"),
    [
        ('One. Two three! "Four?" (Five.) Six', ["one", "two", "four", "five", "six"]),
        ("Dr. Smith of St. Ives, e.g. J. Smith, costs 3.5 pounds.", ["dr"]),
        ("One\ntwo", ["one", "two"]),
        ("1. One\n2) Two", ["1", "2"]),
        ("It was 5. Then six.", ["it", "then"]),
        ("Stop.Not here. Here", ["stop", "here"]),
        ("你好。再见", ["你好", "再见"]),
        ("He said (etc.), and left", ["he"]),
    ],
)
def test_sentences(text: str, beginnings: list[str]) -> None:
    assert [word.key for word in words_of(text) if word.begins_sentence] == beginnings


def test_nothing_of_a_text_is_lost_however_it_is_cut() -> None:
    text = " \"Well,\" he said… **don't** go to Dr. Who's 3.5 km — no!\n\n1. Yes. "
    for size in range(1, len(text)):
        words = Words()
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        given = [word for piece in pieces for word in words.push(piece)] + words.end()
        assert given == words_of(text)
        assert "".join(word.text for word in given) + words.left == text

"""Cutting a message into pieces."""

from parley_tts.pieces import Piece, cut


def test_sentences_keep_their_places() -> None:
    message = "  One. One.\nTwo!"
    pieces = cut(message, ["One.", "One.", "Two!"], longest=100)
    assert pieces == [Piece(2, "One."), Piece(7, "One."), Piece(12, "Two!")]


def test_a_long_sentence_is_divided_between_clauses() -> None:
    message = "when all of this is over, we go home"
    assert [piece.text for piece in cut(message, [message], longest=30)] == [
        "when all of this is over,",
        "we go home",
    ]


def test_without_clauses_it_is_divided_between_words() -> None:
    message = "word " * 100
    pieces = cut(message, [message.strip()], longest=60)
    assert " ".join(piece.text for piece in pieces) == message.strip()
    assert max(len(piece.text) for piece in pieces) <= 60


def test_without_words_it_is_divided_anywhere() -> None:
    message = "x" * 1000
    pieces = cut(message, [message], longest=300)
    assert "".join(piece.text for piece in pieces) == message
    assert all(message.startswith(piece.text, piece.offset) for piece in pieces)


def test_nothing_gives_nothing() -> None:
    assert cut("", [], longest=10) == []

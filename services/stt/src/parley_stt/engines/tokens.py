"""Moonshine's vocabulary: token ids to text."""

import re

_BYTE = re.compile(rb"<0x([0-9A-Fa-f]{2})>")
_SPECIAL = re.compile(rb"<.+>", re.DOTALL)
_SPACE = "\u2581"


class Vocabulary:
    """The pieces of text that tokens stand for, from a tokenizer.bin.

    The file has one piece after another, each with its length before it: one byte, or two
    (low seven bits with the top bit set, then the rest) from 128 on.
    """

    def __init__(self, data: bytes) -> None:
        self._pieces: list[bytes] = []
        at = 0
        while at < len(data):
            size, at = data[at], at + 1
            if size >= 128:
                size, at = size - 128 + 128 * data[at], at + 1
            self._pieces.append(_text_of(data[at : at + size]))
            at += size

    def tokens(self, marks: str) -> list[int]:
        """The tokens that stand for one of these characters alone."""
        texts = [piece.decode(errors="replace").strip(_SPACE) for piece in self._pieces]
        return [token for token, text in enumerate(texts) if text and text in marks]

    def decode(self, tokens: list[int]) -> str:
        """The text of these tokens."""
        text = b"".join(self._pieces[token] for token in tokens).decode(errors="replace")
        return text.replace(_SPACE, " ").strip()


def _text_of(piece: bytes) -> bytes:
    if byte := _BYTE.fullmatch(piece):
        return bytes([int(byte[1], 16)])
    return b"" if _SPECIAL.fullmatch(piece) else piece

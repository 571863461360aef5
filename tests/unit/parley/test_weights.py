import pytest

from parley.providers import ProviderError
from parley.weights import WeightFile
from parley_stt.engines.tokens import Vocabulary

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_right_file() -> None:
    found = WeightFile("parley", "parley-voice", "py.typed", EMPTY).verified()
    assert found.name == "py.typed"


def test_a_wrong_hash_is_refused() -> None:
    with pytest.raises(ProviderError, match=r"sha256.*pip install --force-reinstall parley-voice"):
        WeightFile("parley", "parley-voice", "py.typed", "0" * 64).verified()


@pytest.mark.parametrize("package", ["parley", "no_such_package"])
def test_a_missing_file_says_what_to_install(package: str) -> None:
    with pytest.raises(ProviderError, match=r"missing: pip install that==1"):
        WeightFile(package, "that==1", "no_such_file", EMPTY).verified()


def test_tokens_become_text() -> None:
    long = b"x" * 200
    pieces = [b"", b"<s>", "\u2581Hi".encode(), b"<0x21>", long]
    data = b""
    for piece in pieces:
        size = len(piece)
        data += bytes([size]) if size < 128 else bytes([128 + size % 128, size // 128])
        data += piece
    assert Vocabulary(data).decode([0, 1, 2, 3, 4]) == "Hi!" + "x" * 200

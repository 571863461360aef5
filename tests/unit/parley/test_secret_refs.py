"""Secrets by reference: what is said of them, and where they are found."""

from pathlib import Path

import pytest

from parley.messages import Retry
from parley.profiles import ProfileError, parse
from parley.providers import ProviderError
from parley.secret_refs import resolve

KEY = "sk-a-very-secret-key"


def test_a_secret_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", f" {KEY}\n")
    assert resolve("env:SOME_KEY", "Someone") == KEY


def test_a_secret_is_found_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert resolve(f"file:{tmp_path}/key", "Someone") == KEY


def test_a_container_secret_is_found_through_its_file_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text(KEY)
    monkeypatch.delenv("SOME_KEY", raising=False)
    monkeypatch.setenv("SOME_KEY_FILE", str(tmp_path / "key"))
    assert resolve("env:SOME_KEY", "Someone") == KEY


@pytest.mark.parametrize(
    ("reference", "says"),
    [("env:NO_SUCH_KEY", "set NO_SUCH_KEY"), ("file:/no/such/key", "cannot read /no/such/key")],
)
def test_a_missing_secret_is_named(reference: str, says: str) -> None:
    with pytest.raises(ProviderError, match=f"Someone needs a key: .*{says}") as missing:
        resolve(reference, "Someone")
    assert missing.value.retry is Retry.NEVER


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    with pytest.raises(ProviderError, match="is empty"):
        resolve(f"file:{tmp_path}/key", "Someone")


@pytest.mark.parametrize(
    "line",
    [
        f"deepgramApiKey: {KEY}",
        f"transcriber: {{apiKey: {KEY}}}",
        f"voiceFallbacks: [{{provider: polly, settings: {{secretKey: {KEY}}}}}]",
    ],
)
def test_a_key_in_a_profile_is_refused_and_not_shown(line: str) -> None:
    with pytest.raises(ProfileError, match=r"line 3: .*env:NAME or file:/path") as refused:
        parse(f"agents:\n  default:\n    {line}\n")
    assert KEY not in str(refused.value)

"""The file of API keys."""

from pathlib import Path

import pytest

from parley import api_keys
from parley.api_keys import BadKeys

HASH = api_keys.digest("a key")


def test_a_new_key_is_found_by_its_hash_which_is_all_that_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    keys = {name: api_keys.add(file, name) for name in ("shop", "no", "123", "a-b_c")}
    found = api_keys.read(file)
    assert {name: key.sha256 for name, key in found.items()} == {
        name: (api_keys.digest(key),) for name, key in keys.items()
    }
    assert not any(key in file.read_text() for key in keys.values())
    assert len(set(keys.values())) == 4


def test_a_key_is_added_to_what_somebody_wrote(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(f"# ours\nold: {{sha256: {HASH}, calls: 3}}")
    api_keys.add(file, "new")
    assert file.read_text().startswith("# ours\n")
    assert [(name, key.calls) for name, key in api_keys.read(file).items()] == [
        ("old", 3),
        ("new", None),
    ]
    with pytest.raises(BadKeys, match="already"):
        api_keys.add(file, "old")


def test_all_that_a_key_can_have() -> None:
    text = f"""
        shop:
          sha256: [{HASH}, {HASH}]
          agents: [default]
          origins: [https://Shop.example, "*"]
          calls: 20
          calls_a_minute: 60
          minutes_a_day: 0.5
          minutes_a_month: 10000
    """
    key = api_keys.parse(text)["shop"]
    assert (key.agents, key.origins) == (("default",), ("https://shop.example", "*"))
    assert (key.calls, key.calls_a_minute) == (20, 60)
    assert (key.minutes_a_day, key.minutes_a_month) == (0.5, 10_000)
    assert HASH not in repr(key)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: b: c", "line 1"),
        ("- a", "not a map"),
        (f"Shop: {{sha256: {HASH}}}", "not a key's name"),
        (f"a.b: {{sha256: {HASH}}}", "not a key's name"),
        (f"1: {{sha256: {HASH}}}", "not a key's name"),
        ("shop: {}", "sha256"),
        ("shop:", "shop"),
        ("shop: {sha256: parley-the-key-itself}", "sha256"),
        (f"shop: {{sha256: {HASH}, cals: 3}}", "cals"),
        (f"shop: {{sha256: {HASH}, calls: -1}}", "calls"),
        (f"shop: {{sha256: {HASH}, origins: [shop.example]}}", "origin"),
        (f"shop: {{sha256: {HASH}, origins: ['https://shop.example/page']}}", "origin"),
    ],
)
def test_what_is_wrong_is_said_without_what_is_secret(text: str, why: str) -> None:
    with pytest.raises(BadKeys, match=why) as error:
        api_keys.parse(text)
    assert "parley-the-key-itself" not in str(error.value)


def test_an_empty_file_has_no_keys() -> None:
    assert api_keys.parse("# none yet\n") == {}

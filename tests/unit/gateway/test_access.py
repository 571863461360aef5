"""Who is let in, by what they show: keys, tokens, origins."""

import time
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection

from parley import api_keys
from parley.api_keys import ApiKey, BadKeys
from parley_gateway.access import origins
from parley_gateway.access.door import Door, Grant, Visitor
from parley_gateway.access.keyring import Keyring
from parley_gateway.access.tokens import LEEWAY_SECONDS, MAX_SECONDS, Claims, Signer
from parley_gateway.config import GatewayConfig
from parley_gateway.protocol import ProtocolError

SECRET = "a secret that is as long as it has to be"
NOW = 1_800_000_000.0


def refusal(visitor: Visitor, door: Door, *, resuming: bool = False) -> str:
    with pytest.raises(ProtocolError) as error:
        door.admit(visitor, resuming=resuming)
    return error.value.code


# --- Tokens


def test_a_token_says_what_was_signed() -> None:
    signer = Signer([SECRET])
    token = signer.sign("shop", "default", 60, once=False, now=NOW)
    claims = signer.check(token, NOW)
    assert (claims.key, claims.agent, claims.once) == ("shop", "default", False)
    assert claims.expires_at == NOW + 60
    other = signer.check(signer.sign("shop", None, 60, once=True, now=NOW), NOW)
    assert other.id != claims.id
    assert (other.agent, other.once) == (None, True)


@pytest.mark.parametrize(
    ("after", "code"),
    [
        (-LEEWAY_SECONDS - 1, "unauthorized"),
        (-LEEWAY_SECONDS + 1, None),
        (60 + LEEWAY_SECONDS - 1, None),
        (60 + LEEWAY_SECONDS, "token_expired"),
        (10 * 365 * 86_400, "token_expired"),
    ],
)
def test_a_token_is_good_for_so_long(after: float, code: str | None) -> None:
    signer = Signer([SECRET])
    token = signer.sign("shop", None, 60, once=True, now=NOW)
    found = None
    try:
        signer.check(token, NOW + after)
    except ProtocolError as error:
        found = error.code
    assert found == code
    if code == "token_expired":
        assert signer.check(token, NOW + after, resuming=True).key == "shop"


def test_a_token_may_not_be_good_for_long() -> None:
    signer = Signer([SECRET])
    token = signer.sign("shop", None, MAX_SECONDS + 1, once=True, now=NOW)
    with pytest.raises(ProtocolError):
        signer.check(token, NOW)


def test_an_old_signing_secret_is_good_while_it_is_listed() -> None:
    old, new = SECRET, SECRET[::-1]
    token = Signer([old]).sign("shop", None, 60, once=True, now=NOW)
    assert Signer([new, old]).check(token, NOW).key == "shop"
    with pytest.raises(ProtocolError):
        Signer([new]).check(token, NOW)


@pytest.mark.parametrize("secrets", [[], ["short"], [SECRET, "short"]])
def test_a_signing_secret_must_be_long(secrets: list[str]) -> None:
    with pytest.raises(BadKeys):
        Signer(secrets)
    assert SECRET not in repr(Signer([SECRET]))


# --- Origins


@pytest.mark.parametrize(
    ("origin", "host", "listed", "may"),
    [
        (None, "a.example", None, True),
        ("https://a.example", "a.example", None, True),
        ("http://a.example:8080", "A.example:8080", None, True),
        ("https://a.example", "a.example:8080", None, False),
        ("https://b.example", "a.example", None, False),
        ("null", "a.example", None, False),
        ("null", "", None, False),
        ("", "", None, False),
        ("https://[", "a.example", None, False),
        ("https://user@a.example", "a.example", None, False),
        ("https://a.example", "a.example", ["https://b.example"], False),
        ("https://B.example", "a.example", ["https://b.example"], True),
        ("http://b.example", "a.example", ["https://b.example"], False),
        ("https://b.example.evil", "a.example", ["https://b.example"], False),
        ("null", "a.example", ["https://b.example"], False),
        ("https://anything", "a.example", ["*"], True),
    ],
)
def test_which_pages_may_call(
    origin: str | None, host: str, listed: list[str] | None, may: bool
) -> None:
    assert origins.allowed(origin, host, listed) is may


# --- The door


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "keys.yaml"
    return {name: api_keys.add(file, name) for name in ("shop", "rival")}


@pytest.fixture
def door(tmp_path: Path, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr(time, "time", lambda: NOW)
    return Door(Keyring(tmp_path / "keys.yaml", "the shared one"), Signer([SECRET]))


def test_each_key_is_known_by_its_name(door: Door, keys: dict[str, str]) -> None:
    names = [door.admit(Visitor(key)).name for key in [*keys.values(), "the shared one"]]
    assert names == ["shop", "rival", "shared"]


@pytest.mark.parametrize("secret", ["", "wrong", " ", "shop", api_keys.digest("the shared one")])
def test_what_is_no_key_is_refused(door: Door, secret: str) -> None:
    assert refusal(Visitor(secret), door) == "unauthorized"
    assert refusal(Visitor(secret), door, resuming=True) == "unauthorized"


def test_a_token_stands_for_its_key_as_long_as_that_is_there(
    door: Door, keys: dict[str, str]
) -> None:
    assert door.signer is not None
    token = door.signer.sign("shop", "default", 60, once=True, now=NOW)
    grant = door.admit(Visitor(token))
    assert grant.name == "shop"
    assert (grant.agent(None), grant.admits("default"), grant.admits("other")) == (
        "default",
        True,
        False,
    )
    with pytest.raises(ProtocolError):
        door.admit_key(Visitor(token))
    del door.keyring.keys["shop"]
    assert refusal(Visitor(token), door) == "unauthorized"


def test_without_a_signer_no_token_is_good(keys: dict[str, str], tmp_path: Path) -> None:
    door = Door(Keyring(tmp_path / "keys.yaml"))
    token = Signer([SECRET]).sign("shop", None, 60, once=True, now=NOW)
    assert refusal(Visitor(token), door) == "unauthorized"


def test_an_open_gateway_lets_everybody_in_but_pages_that_are_not_listed() -> None:
    page = Visitor(origin="https://shop.example", host="gateway.example")
    assert Door(Keyring()).admit(page) == Grant()
    assert refusal(page, Door(Keyring(), origins=["https://other.example"])) == "wrong_origin"


def test_a_file_without_keys_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text("# none yet")
    assert refusal(Visitor(""), Door(Keyring(tmp_path / "keys.yaml"))) == "unauthorized"


def test_a_keys_pages_count_before_the_servers(door: Door, keys: dict[str, str]) -> None:
    key = door.keyring.keys["shop"].model_copy(update={"origins": ("https://shop.example",)})
    door.keyring.keys["shop"] = key
    assert door.admit(Visitor(keys["shop"], "https://shop.example", "gateway.example"))
    own = Visitor(keys["shop"], "https://gateway.example", "gateway.example")
    assert refusal(own, door) == "wrong_origin"
    assert door.admit(Visitor(keys["rival"], "https://gateway.example", "gateway.example"))


def test_a_keys_agents() -> None:
    limited = Grant("shop", ApiKey(sha256=("0" * 64,), agents=("default",)))
    claims = Claims("id", "shop", "private", True, NOW)
    assert (limited.admits("default"), limited.admits("private")) == (True, False)
    assert not Grant("shop", limited.key, claims).admits("private")
    assert Grant("shop", ApiKey(sha256=("0" * 64,)), claims).admits("private")
    assert (limited.agent(None), limited.agent("x")) == ("default", "x")


@pytest.mark.parametrize(
    ("headers", "query", "secret"),
    [
        ({}, "token=a", "a"),
        ({"authorization": "Bearer b"}, "token=a", "b"),
        ({"authorization": "bearer  b "}, "", "b"),
        ({"authorization": "Basic b"}, "token=a", "a"),
        ({}, "token=a&token=c", "c"),
        ({}, "", ""),
    ],
)
def test_what_a_request_shows(headers: dict[str, str], query: str, secret: str) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "headers": raw, "query_string": query.encode(), "path": "/"}
    assert Visitor.of(HTTPConnection(scope)).secret == secret
    assert "hidden" not in repr(Visitor("hidden"))


# --- The keyring


def test_keys_are_read_again_and_a_broken_file_changes_nothing(
    tmp_path: Path, keys: dict[str, str]
) -> None:
    file = tmp_path / "keys.yaml"
    keyring = Keyring(file)
    assert not keyring._look()
    new = api_keys.add(file, "new")
    assert [keyring._look() for _ in range(3)] == [False, True, False]
    assert keyring.find(new) == "new"
    file.write_text("a: b: c")
    assert [keyring._look() for _ in range(3)] == [False] * 3
    file.unlink()
    assert [keyring._look() for _ in range(3)] == [False] * 3
    assert keyring.find(new) == "new"


def test_a_file_that_is_being_written_takes_no_key_away(
    tmp_path: Path, keys: dict[str, str]
) -> None:
    file = tmp_path / "keys.yaml"
    keyring, whole = Keyring(file), file.read_text()
    for written in ("", whole[: len(whole) // 2], whole):  # As an editor does it.
        file.write_text(written)
        assert not keyring._look()
        assert [keyring.find(secret) for secret in keys.values()] == list(keys)
    assert keyring._look()
    assert [keyring.find(secret) for secret in keys.values()] == list(keys)


def test_a_key_in_the_file_may_not_have_the_shared_ones_name(tmp_path: Path) -> None:
    api_keys.add(tmp_path / "keys.yaml", "shared")
    with pytest.raises(BadKeys, match="PARLEY_TOKEN"):
        Keyring(tmp_path / "keys.yaml", "x")


# --- Settings


def test_secrets_come_from_the_environment_or_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET[:10]}\n{SECRET[10:20]}\n")
    monkeypatch.setenv("PARLEY_SIGNING_SECRET_FILE", str(file))
    monkeypatch.setenv("PARLEY_ORIGINS", " https://Shop.example/, *,")
    monkeypatch.setenv("PARLEY_KEYS", "")
    monkeypatch.setenv("PARLEY_TOKEN", "")
    config = GatewayConfig()
    assert len(config.signing_secrets()) >= 2
    assert config.allowed_origins() == ["https://shop.example", "*"]
    assert (config.keys, config.required_token()) == (None, None)
    file.write_text(" \n")
    with pytest.raises(BadKeys, match="empty"):
        config.signing_secrets()
    monkeypatch.setenv("PARLEY_ORIGINS", "shop.example")
    with pytest.raises(BadKeys, match="PARLEY_ORIGINS"):
        GatewayConfig().allowed_origins()

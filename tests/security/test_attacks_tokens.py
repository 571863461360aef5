"""Who has no right to call does not get through: no key, a forged token, an old one, a used one."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from parley import api_keys
from parley_gateway.access.tokens import AUDIENCE, MAX_SECONDS
from support.attacked import KEYS, PAGE, SIGNING_SECRET, Attacked, signer


def claims(**fields: Any) -> dict[str, Any]:
    now = time.time()
    usual = {"aud": AUDIENCE, "sub": "shop", "jti": "x" * 32, "iat": now, "exp": now + 60}
    return {**usual, **fields}


def signed(**fields: Any) -> str:
    """With the right secret, but not by the gateway: a field that is None is left out."""
    found = {name: value for name, value in claims(**fields).items() if value is not None}
    return jwt.encode(found, SIGNING_SECRET, algorithm="HS256")


def encoded(part: object) -> str:
    return encoded_text(json.dumps(part))


def encoded_text(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def altered() -> str:
    """A good token whose payload says another key afterwards."""
    header, _, signature = signed().split(".")
    return f"{header}.{encoded(claims(sub='rival'))}.{signature}"


def unsigned(algorithm: str) -> str:
    return f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(claims())}."


FORGED: dict[str, Callable[[], str]] = {
    "a guess": lambda: "open-sesame",
    "a hash instead of its key": lambda: api_keys.digest(KEYS["shop"]),
    "a key with a letter more": lambda: KEYS["shop"] + "A",
    "a key without its last letter": lambda: KEYS["shop"][:-1],
    "another signing secret": lambda: jwt.encode(claims(), "x" * 40, algorithm="HS256"),
    "the API key as the signing secret": lambda: jwt.encode(
        claims(), KEYS["shop"], algorithm="HS256"
    ),
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "no signature": lambda: unsigned("HS256"),
    "a header without a bottom": lambda: f"{encoded_text('[' * 4000)}.{encoded(claims())}.AAAA",
    "a header that names a key": lambda: jwt.encode(
        claims(), "x" * 40, algorithm="HS256", headers={"kid": "/dev/null", "jku": PAGE}
    ),
    "an altered payload": altered,
    "another algorithm": lambda: jwt.encode(claims(), SIGNING_SECRET * 2, algorithm="HS512"),
    "an unknown key's": lambda: signed(sub="nobody"),
    "for somebody else": lambda: signed(aud="another-service"),
    "for nobody": lambda: signed(aud=None),
    "without an end": lambda: signed(exp=None),
    "without an id": lambda: signed(jti=None),
    "without a beginning": lambda: signed(iat=None),
    "good for years": lambda: signed(exp=time.time() + 10 * 365 * 86_400),
    "of the future": lambda: signed(iat=time.time() + 600, exp=time.time() + 660),
    "an end that is text": lambda: signed(exp="4102444800"),
    "nothing": lambda: "",
    "dots": lambda: "..",
    "a line break": lambda: "a\r\nb",
    "zero bytes": lambda: "\0" * 20,
    "not ASCII": lambda: "schlüssel",
}


@pytest.mark.parametrize("attack", FORGED)
async def test_what_is_forged_opens_nothing(target: Attacked, attack: str) -> None:
    outcome = await target.call(FORGED[attack]())
    assert outcome.code == "unauthorized"


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic c2hvcDp4", "wrong"])
async def test_nor_does_it_in_the_header(target: Attacked, header: str) -> None:
    assert (await target.call(header=header)).code == "unauthorized"


async def test_a_wrong_header_is_not_mended_by_the_query(target: Attacked) -> None:
    outcome = await target.call(KEYS["shop"], header="Bearer wrong")
    assert outcome.code == "unauthorized"


async def test_no_token_at_all(target: Attacked) -> None:
    assert (await target.call()).code == "unauthorized"


async def test_the_right_key_gets_through_both_ways(target: Attacked) -> None:
    assert (await target.call(KEYS["shop"])).got_through
    assert (await target.call(header=f"Bearer {KEYS['shop']}")).got_through
    assert (await target.call(await target.token())).got_through


async def test_a_token_that_has_run_out(target: Attacked) -> None:
    old = signer().sign("shop", None, 60, once=True, now=time.time() - 66)
    assert (await target.call(old)).code == "token_expired"
    within_the_clocks_difference = signer().sign("shop", None, 60, once=True, now=time.time() - 62)
    assert (await target.call(within_the_clocks_difference)).got_through


async def test_a_token_begins_one_call_at_one_gateway(target: Attacked) -> None:
    token = await target.token()
    assert (await target.call(token)).got_through
    for gateway in (0, 1):
        assert (await target.call(token, gateway=gateway)).code == "token_used"


async def test_of_many_who_show_one_token_at_once_one_gets_through(target: Attacked) -> None:
    token = await target.token()
    outcomes = await asyncio.gather(
        *(target.call(token, gateway=number % 2) for number in range(12))
    )
    codes = sorted(one.code for one in outcomes)
    assert codes.count("ready") == 1
    assert set(codes) <= {"ready", "token_used"}


async def test_a_token_for_many_calls_is_one(target: Attacked) -> None:
    token = await target.token(once=False)
    assert [(await target.call(token)).got_through for _ in range(3)] == [True] * 3


AGENTS = {
    "another agent than the key's": ("shop", "private"),
    "no agent of anybody's": ("rival", "nobody"),
    "an agent with a name of 4000 letters": ("rival", "a" * 4000),
}


@pytest.mark.parametrize("attack", AGENTS)
async def test_the_wrong_agent(target: Attacked, attack: str) -> None:
    key, agent = AGENTS[attack]
    outcome = await target.call(KEYS[key], agent=agent)
    assert outcome.code == "unknown_agent"
    assert len(outcome.first["message"]) < 200
    listed = outcome.first["message"].partition("there are: ")[2]
    assert listed == ("default" if key == "shop" else "default, private")


async def test_a_token_for_one_agent_calls_no_other(target: Attacked) -> None:
    token = await target.token("rival", agent="private")
    assert (await target.call(token, agent="default")).code == "unknown_agent"
    outcome = await target.call(token)
    assert (outcome.got_through, outcome.first["agent"]) == (True, "private")


ORIGINS = {
    "another page": ("page", "https://evil.example"),
    "a page whose name begins alike": ("page", "https://shop.example.evil.example"),
    "a page whose name ends alike": ("page", "https://evil-shop.example"),
    "without https": ("page", "http://shop.example"),
    "another port": ("page", "https://shop.example:8443"),
    "null": ("page", "null"),
    "an empty one": ("page", ""),
    "any page, with a key without pages": ("shop", "https://evil.example"),
    "null, with a key without pages": ("shop", "null"),
}


@pytest.mark.parametrize("attack", ORIGINS)
async def test_the_wrong_page(target: Attacked, attack: str) -> None:
    key, origin = ORIGINS[attack]
    assert (await target.call(KEYS[key], origin=origin)).code == "wrong_origin"
    assert (await target.call(await target.token(key), origin=origin)).code == "wrong_origin"


async def test_the_right_pages(target: Attacked) -> None:
    own = f"http://127.0.0.1:{target.gateways[0].port}"
    assert (await target.call(KEYS["page"], origin=PAGE)).got_through
    assert (await target.call(KEYS["shop"], origin=own)).got_through
    assert (await target.call(KEYS["page"], origin=own)).code == "wrong_origin"


# --- Who gives tokens


TAKERS: dict[str, tuple[Callable[[], str | None], dict[str, Any], int]] = {
    "without a key": (lambda: None, {}, 401),
    "with a wrong key": (lambda: "wrong", {}, 401),
    "with a token": (lambda: signed(), {}, 401),
    "for an agent that is not the key's": (lambda: KEYS["shop"], {"agent": "private"}, 404),
    "for longer than allowed": (lambda: KEYS["shop"], {"seconds": MAX_SECONDS + 1}, 400),
    "for ever": (lambda: KEYS["shop"], {"seconds": 1e308}, 400),
    "for no time": (lambda: KEYS["shop"], {"seconds": 0}, 400),
    "in another key's name": (lambda: KEYS["shop"], {"sub": "rival"}, 400),
    "with a body of 1 MB": (lambda: KEYS["shop"], {"agent": "a" * 1_000_000}, 400),
}


@pytest.mark.parametrize("attack", TAKERS)
async def test_nobody_else_gets_a_token(target: Attacked, attack: str) -> None:
    secret, body, status = TAKERS[attack]
    answer = await target.ask("/tokens", secret(), method="POST", json=body)
    assert answer.status_code == status
    assert "token" not in answer.json()


async def test_a_page_that_has_the_key_gets_none(target: Attacked) -> None:
    headers = {"Origin": "https://evil.example"}
    answer = await target.ask("/tokens", KEYS["shop"], method="POST", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_origin")


async def test_no_log_says_a_secret(target: Attacked) -> None:
    token = await target.token()
    await target.call(token)
    await target.call(KEYS["rival"])
    await target.call("wrong-but-secret")
    secrets = [SIGNING_SECRET, token, "wrong-but-secret", "token=", *KEYS.values()]
    for gateway in target.gateways:
        log = gateway.log.read_text()
        assert [secret for secret in secrets if secret in log] == []
        assert "call refused" in log or gateway is not target.gateways[0]

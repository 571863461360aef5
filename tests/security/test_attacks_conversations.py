"""Nobody resumes or reads another's conversation, nor reaches a subject that is not theirs."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import nats
import pytest

from parley_gateway.call_record import ResumeToken
from support.attacked import KEYS, Attacked, signer
from support.keeping import until

ALLOWED = re.compile(
    r"parley\.v1\.(worker\.(stt|agent|tts)\.[A-Za-z0-9-]+(\.probe)?|gateway\.[A-Za-z0-9-]+"
    r"|job\.(stt|agent|tts)(\.[A-Za-z0-9-]+)?|conv\.(prepare-)?[0-9a-f]+\.[a-z]+|record\.[0-9a-f]{16}"
    r"|usage|spent\.[a-z0-9-]+\.\d{4}-\d\d(-\d\d)?|operate\.[a-z]+\.[A-Za-z0-9-]+)"
    r"|\$JS\..*|\$KV\.parley_(calls|tokens)\.[0-9a-f]{16,32}|_INBOX[._].*"
)
"""All that the engine ever says."""

IDS = {
    "a wildcard": "*",
    "all that follows": ">",
    "a dot": "a.b",
    "another's audio": "0123456789abcdef.audio",
    "a path": "..%2F..%2Fetc%2Fpasswd",
    "a line break": "a%0D%0AX: y",
    "a NATS command": "a%0D%0APUB parley.v1.job.stt 2%0D%0Ahi%0D%0A",
    "a zero byte": "a%00b",
    "a space": "a%20b",
    "not ASCII": "%E2%82%AC",
    "too long": "a" * 65,
    "very long": "a" * 8000,
}


@pytest.mark.parametrize("attack", IDS)
async def test_an_id_reaches_no_other_subject(target: Attacked, attack: str) -> None:
    answer = await target.ask(f"/conversations/{IDS[attack]}", KEYS["shop"])
    assert answer.status_code in (400, 404)
    assert "transcript" not in answer.text


RESUMES = {
    "a wildcard": "*.secret",
    "all that follows": ">.secret",
    "a dot more": "a.b.secret",
    "no secret": "0123456789abcdef.",
    "no id": ".secret",
    "only an id": "0123456789abcdef",
    "a line break": "a\r\nPUB parley.v1.job.stt 2\r\nhi\r\n.secret",
    "a zero byte": "a\0.secret",
    "not ASCII": "é.secret",
    "a line break at the end": "0123456789abcdef.secret\n",
    "very long": "a" * 4000 + ".secret",
    "a call that never was": "0123456789abcdef.secret",
}


@pytest.mark.parametrize("attack", RESUMES)
async def test_a_resume_token_reaches_no_other_call(target: Attacked, attack: str) -> None:
    outcome = await target.call(KEYS["shop"], resume=RESUMES[attack])
    assert outcome.code == "not_resumable"


AGENTS = [
    "*",
    ">",
    "default.>",
    "default\r\nX",
    "../default",
    "default\0",
    "Default",
    "défaut",
    " ",
]


@pytest.mark.parametrize("agent", AGENTS)
async def test_an_agents_name_reaches_none_other(target: Attacked, agent: str) -> None:
    assert (await target.call(KEYS["rival"], agent=agent)).code == "unknown_agent"


NUMBERS: list[dict[str, Any]] = [
    {"sample_rate": "9" * 5000},
    {"sample_rate": "16000.0"},
    {"sample_rate": "-16000"},
    {"sample_rate": "१६०००"},
    {"encoding": "linear16\r\n"},
    {"resume": "0123456789abcdef.secret", "audio_ms": "nan"},
    {"resume": "0123456789abcdef.secret", "audio_ms": "inf"},
    {"resume": "0123456789abcdef.secret", "audio_ms": "-1"},
    {"resume": "a.b", "heard_turn": "9" * 5000, "heard_ms": "0"},
]


@pytest.mark.parametrize("query", NUMBERS)
async def test_numbers_that_are_none(target: Attacked, query: dict[str, Any]) -> None:
    assert (await target.call(KEYS["shop"], **query)).code == "bad_format"


PATHS = {
    "the code": "/static/..%2Fapp.py",
    "the code, otherwise": "/static/%2e%2e/app.py",
    "a file of the machine": "/static/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "a description of the API": "/openapi.json",
    "pages that try the API": "/docs",
    "all conversations": "/conversations/",
    "all conversations, otherwise": "/conversations",
    "tokens by GET": "/tokens",
}


@pytest.mark.parametrize("attack", PATHS)
async def test_nothing_else_is_served(target: Attacked, attack: str) -> None:
    answer = await target.ask(PATHS[attack], KEYS["shop"])
    assert answer.status_code in (404, 405)


async def test_all_that_nats_heard_meanwhile_was_the_engines(target: Attacked) -> None:
    subjects: set[str] = set()

    async def heard(message: Any) -> None:
        subjects.add(message.subject)

    client = await nats.connect(target.nats.url)
    await client.subscribe(">", cb=heard)
    await client.flush()
    for token in RESUMES.values():
        await target.call(KEYS["shop"], resume=token)
    for agent in AGENTS:
        await target.call(KEYS["rival"], agent=agent)
    for conversation in IDS.values():
        await target.ask(f"/conversations/{conversation}", KEYS["shop"])
    await target.call(KEYS["seconds"])
    await target.call(await target.token())
    await until(lambda: any(one.startswith("parley.v1.conv.") for one in subjects))
    await client.close()
    assert [one for one in subjects if not ALLOWED.fullmatch(one)] == []


# --- Another's conversation


async def recorded(target: Attacked, conversation: str, secret: str) -> int:
    """The status, once the record is there for whoever may read it."""
    async with asyncio.timeout(20):
        while True:
            answer = await target.ask(f"/conversations/{conversation}", KEYS["shop"])
            if answer.status_code == 200:
                break
            await asyncio.sleep(0.05)
    return (await target.ask(f"/conversations/{conversation}", secret)).status_code


READERS: dict[str, tuple[Callable[[], str], int]] = {
    "another key": (lambda: KEYS["rival"], 404),
    "no key": (str, 401),
    "a guess": (lambda: "wrong", 401),
    "a token of the same key": (lambda: token_of("shop"), 401),
    "a token of another key": (lambda: token_of("rival"), 401),
}


def token_of(key: str) -> str:
    return signer().sign(key, None, 60, once=False, now=time.time())


@pytest.mark.parametrize("attack", READERS)
async def test_nobody_else_reads_it(target: Attacked, attack: str) -> None:
    reader, status = READERS[attack]
    call = await target.call(await target.token())
    assert await recorded(target, call.first["conversation_id"], reader()) == status
    assert await recorded(target, call.first["conversation_id"], KEYS["shop"]) == 200


TAKERS: dict[str, Callable[[], str | None]] = {
    "another key": lambda: KEYS["rival"],
    "a token of another key": lambda: token_of("rival"),
    "no key": lambda: None,
    "a guess": lambda: "wrong",
}


@pytest.mark.parametrize("attack", TAKERS)
@pytest.mark.parametrize("gateway", [0, 1])
async def test_nobody_else_takes_it_over(target: Attacked, attack: str, gateway: int) -> None:
    async with AsyncExitStack() as stack:
        call = await target.begin(stack, await target.token())
        token = call.first["resume_token"]
        stolen = await target.call(TAKERS[attack](), gateway=gateway, resume=token)
        assert stolen.code == ("not_resumable" if "another" in attack else "unauthorized")
        # It is still where it was, and its own client can go on with it.
        again = await target.call(KEYS["shop"], gateway=1 - gateway, resume=token)
        assert (again.got_through, again.first["resumed"]) == (True, True)


async def test_the_secret_in_a_resume_token_counts(target: Attacked) -> None:
    async with AsyncExitStack() as stack:
        call = await target.begin(stack, KEYS["shop"])
        wrong = str(ResumeToken.new(call.first["conversation_id"]))
        assert (await target.call(KEYS["shop"], resume=wrong)).code == "not_resumable"


async def test_a_used_token_goes_on_with_the_call_but_begins_no_other(target: Attacked) -> None:
    token = await target.token()
    async with AsyncExitStack() as stack:
        call = await target.begin(stack, token)
        again = await target.call(token, gateway=1, resume=call.first["resume_token"])
        assert again.got_through
        assert (await target.call(token, gateway=1)).code == "token_used"

"""What a thief may try in NATS with the key of a service, and whether it got through."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

SECRET = b"what nobody else may know"
LATE = 10.0
"""The server has answered or refused (s) by then; mostly it takes a ms."""

WORKERS = ("stt", "agent", "tts")
USERS = ("gateway", *WORKERS, "operator")
"""Whose keys are stolen."""
EARS = {
    "gateway": "_INBOX_gateway.x",
    "stt": "parley.v1.conv.x.audio",
    "agent": "parley.v1.conv.x.control",
    "tts": "parley.v1.conv.x.speak",
    "operator": "_INBOX_operator.x",
}
"""Where a thief can have answers sent, for it may listen there."""
VOICES = {
    "gateway": "parley.v1.usage",
    "operator": "parley.v1.operate.stt.x",
    **{stage: f"parley.v1.worker.{stage}.x" for stage in WORKERS},
}
"""Where it may speak."""
WORK = {
    "gateway": (
        "hear what is done with calls",
        "hear transcripts",
        "hear replies",
        "hear the bot's voice",
        "hear workers announce",
        "hear API keys' use",
        "read the gateway's inbox",
        "put words into a caller's mouth",
        "have text spoken",
        "interrupt, mute or end calls",
        "offer jobs",
        "probe",
        "announce a gateway",
        "forge a record",
        "overwrite a call's state",
        "mark a token as used",
        "report an API key's use",
        "spend an API key's minutes",
        "read a call's state",
        "directly read a record",
        "change a stream",
    ),
    "stt": (
        "hear what is done with calls",
        "hear callers' audio",
        "publish transcripts",
        "claim jobs of stt",
        "be offered jobs of one stt worker",
        "announce stt workers",
    ),
    "agent": (
        "hear what is done with calls",
        "write a reply",
        "claim jobs of agent",
        "be offered jobs of one agent worker",
        "announce agent workers",
    ),
    "tts": (
        "hear what is done with calls",
        "hear text to be spoken",
        "speak for the bot",
        "claim jobs of tts",
        "be offered jobs of one tts worker",
        "announce tts workers",
    ),
    "operator": (
        "hear workers announce",
        "hear gateways announce",
        "read the operator's inbox",
        "drain",
        "read a record",
        "directly read a record",
        "ask what JetStream holds",
        "ask about the records",
    ),
}
"""What is no attack with a user's key: names of attacks, or how they begin."""
STREAM = "PARLEY_RECORD"


class Scene:
    """A thief, and a witness who may do anything. JetStream keeps a record that is a secret.

    `refused` is set whenever the server tells the thief that it may not do something.
    """

    def __init__(self, user: str, thief: Client, witness: Client, refused: asyncio.Event) -> None:
        self.user = user
        self.thief = thief
        self.witness = witness
        self.refused = refused
        self._ear, self._voice = EARS[user], VOICES[user]

    async def hears(self, pattern: str, subject: str, queue: str = "") -> bool:
        """The thief subscribes to `pattern`; does it hear what is said on `subject`?"""
        subscription = await self.thief.subscribe(pattern, queue=queue)
        return await self._arrives(self.witness, subject, self.thief, subscription)

    async def says(self, subject: str) -> bool:
        """The thief publishes; does it reach whoever listens?"""
        subscription = await self.witness.subscribe(subject)
        return await self._arrives(self.thief, subject, self.witness, subscription)

    async def _arrives(
        self, speaker: Client, subject: str, listener: Client, subscription: Subscription
    ) -> bool:
        # In this order the server has brought the message, or will never do so.
        await _flush(listener)
        await speaker.publish(subject, SECRET)
        await _flush(speaker)
        await _flush(listener)
        arrived = subscription.pending_msgs > 0
        await subscription.unsubscribe()
        assert arrived or self.refused.is_set()
        return arrived

    async def is_answered(self, subject: str, payload: object = None) -> bool:
        """The thief asks the server; does it get an answer, wherever it may listen?"""
        answered = asyncio.Event()

        async def on_message(msg: Msg) -> None:
            answered.set()

        subscription = await self.thief.subscribe(self._ear, cb=on_message)
        data = b"" if payload is None else json.dumps(payload).encode()
        await self.thief.publish(subject, data, reply=self._ear)
        await self._refused_or(answered)
        await subscription.unsubscribe()
        return answered.is_set()

    async def is_traced(self, subject: str) -> bool:
        """The thief asks the server to say on `subject` what becomes of a message; does it?"""
        told = asyncio.Event()

        async def on_message(msg: Msg) -> None:
            told.set()

        subscription = await self.witness.subscribe(subject, cb=on_message)
        await _flush(self.witness)
        await self.thief.publish(self._voice, SECRET, headers={"Nats-Trace-Dest": subject})
        await self._refused_or(told)
        await subscription.unsubscribe()
        return told.is_set()

    async def _refused_or(self, event: asyncio.Event) -> None:
        waiting = [asyncio.create_task(one.wait()) for one in (event, self.refused)]
        done, pending = await asyncio.wait(
            waiting, timeout=LATE, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        assert done, "neither done nor refused"

    async def changes(self, subject: str, payload: object = None) -> bool:
        """The thief orders something of JetStream; is anything other than before?"""
        before = await self._kept()
        answered = await self.is_answered(subject, payload)
        return answered or await self._kept() != before

    async def _kept(self) -> object:
        """All streams, with their settings, contents and consumers."""
        infos = await self.witness.jetstream().streams_info()
        return sorted(
            (one.config.name, str(one.config), one.state.messages, one.state.consumer_count)
            for one in infos
        )


@dataclass(frozen=True)
class Attack:
    """Something a thief tries; `run` says whether it got through."""

    name: str
    run: Callable[[Scene], Awaitable[bool]]


def attacks(user: str) -> list[Attack]:
    """All that a thief with that user's key should not be able to do."""
    everything = [*_listening(), *_claiming(), *_speaking(), *_keeping()]
    return [attack for attack in everything if not attack.name.startswith(WORK[user])]


def _hear(what: str, pattern: str, subject: str, queue: str = "") -> Attack:
    return Attack(what, lambda scene: scene.hears(pattern, subject, queue))


def _say(what: str, subject: str) -> Attack:
    return Attack(what, lambda scene: scene.says(subject))


def _listening() -> list[Attack]:
    leaves = {
        "audio": "callers' audio",
        "heard": "transcripts",
        "reply": "replies as they are written",
        "speak": "text to be spoken",
        "speech": "the bot's voice",
        "control": "what is done with calls",
    }
    found = []
    for leaf, what in leaves.items():
        subject, pattern = f"parley.v1.conv.x.{leaf}", f"parley.v1.conv.*.{leaf}"
        found += [
            _hear(f"hear {what} of one call", subject, subject),
            _hear(f"hear {what} of all calls", pattern, subject),
            _hear(f"hear {what} in a queue group", pattern, subject, "thief"),
        ]
    private = "parley.v1.conv.x.heard"
    for pattern in (">", "*.>", "parley.>", "parley.v1.>", "parley.v1.conv.>", "parley.v1.*.*.*"):
        found.append(_hear(f"subscribe to {pattern}", pattern, private))
    for owner in ("gateway", "operator"):
        found.append(
            _hear(f"read the {owner}'s inbox", f"_INBOX_{owner}.>", f"_INBOX_{owner}.someone.1")
        )
    return [
        *found,
        _hear("read plain inboxes", "_INBOX.>", "_INBOX.someone.1"),
        _hear("hear events as they are recorded", "parley.v1.record.*", "parley.v1.record.x"),
        _hear("hear calls' states as they are stored", "$KV.>", "$KV.parley_calls.x"),
        _hear("hear API keys' use", "parley.v1.usage", "parley.v1.usage"),
        _hear("hear gateways announce", "parley.v1.gateway.*", "parley.v1.gateway.x"),
        _hear("hear workers announce", "parley.v1.worker.*.*", "parley.v1.worker.stt.x"),
        _hear("hear operators' orders to all", "parley.v1.operate.>", "parley.v1.operate.x.y"),
    ]


def _claiming() -> list[Attack]:
    found = []
    for stage in WORKERS:
        subject = f"parley.v1.job.{stage}"
        found += [
            _hear(f"claim jobs of {stage}", subject, subject, stage),
            _hear(f"be offered jobs of one {stage} worker", f"{subject}.*", f"{subject}.x"),
            _hear(f"overhear claims of {stage}", subject, subject),
            _hear(f"overhear claims of {stage} in another queue group", subject, subject, "thief"),
            _hear(f"overhear claims of {stage} by parley.v1.job.*", "parley.v1.job.*", subject),
            _hear(f"join claims of {stage} by parley.v1.job.*", "parley.v1.job.*", subject, stage),
        ]
    return found


def _speaking() -> list[Attack]:
    said = {
        "audio": "put words into a caller's mouth, as sound",
        "heard": "publish transcripts",
        "reply": "write a reply",
        "speak": "have text spoken",
        "speech": "speak for the bot",
        "control": "interrupt, mute or end calls",
    }
    found = [_say(what, f"parley.v1.conv.x.{leaf}") for leaf, what in said.items()]
    for stage in WORKERS:
        found += [
            _say(f"offer jobs to {stage}", f"parley.v1.job.{stage}"),
            _say(f"offer jobs to one {stage} worker", f"parley.v1.job.{stage}.x"),
            _say(f"probe {stage} workers", f"parley.v1.worker.{stage}.x.probe"),
            _say(f"announce {stage} workers", f"parley.v1.worker.{stage}.x"),
            _say(f"drain {stage} workers", f"parley.v1.operate.{stage}.x"),
        ]
    return [
        *found,
        _say("drain gateways", "parley.v1.operate.gateway.x"),
        _say("announce a gateway", "parley.v1.gateway.x"),
        _say("forge an answer to the gateway", "_INBOX_gateway.someone.1"),
        _say("forge an answer to the operator", "_INBOX_operator.someone.1"),
        _say("forge a record", "parley.v1.record.x"),
        _say("overwrite a call's state", "$KV.parley_calls.x"),
        _say("mark a token as used", "$KV.parley_tokens.x"),
        _say("report an API key's use", "parley.v1.usage"),
        _say("spend an API key's minutes", "parley.v1.spent.x.y"),
        _say("publish anything else", "anything"),
        Attack("have the server publish, as a trace", lambda scene: scene.is_traced("anything")),
    ]


def _order(what: str, subject: str, payload: object = None) -> Attack:
    return Attack(what, lambda scene: scene.changes(f"$JS.API.{subject}", payload))


def _ask(what: str, subject: str, payload: object = None) -> Attack:
    return Attack(what, lambda scene: scene.is_answered(subject, payload))


def _keeping() -> list[Attack]:
    first = {"seq": 1}
    away = {"deliver_subject": "parley.v1.conv.x.speak"}
    consumer = {"stream_name": STREAM, "config": away}
    tap = {"name": "THIEF", "subjects": ["parley.v1.conv.*.audio"], "storage": "memory"}
    wider = {"name": STREAM, "subjects": ["parley.v1.record.>", "a.b"], "storage": "memory"}
    return [
        _ask("read a record", f"$JS.API.STREAM.MSG.GET.{STREAM}", first),
        _ask("directly read a record", f"$JS.API.DIRECT.GET.{STREAM}", first),
        _ask("read a call's state", "$JS.API.STREAM.MSG.GET.KV_parley_calls", first),
        _ask("directly read a call's state", "$JS.API.DIRECT.GET.KV_parley_calls", first),
        _ask("ask what JetStream holds", "$JS.API.INFO"),
        _ask("ask about the records", f"$JS.API.STREAM.INFO.{STREAM}"),
        _ask("list streams", "$JS.API.STREAM.NAMES"),
        _ask("copy all records away", f"$JS.API.STREAM.SNAPSHOT.{STREAM}", away),
        _order("have a stream tap all callers' audio", "STREAM.CREATE.THIEF", tap),
        _order("have records delivered", f"CONSUMER.CREATE.{STREAM}", consumer),
        _order("change a stream", f"STREAM.UPDATE.{STREAM}", wider),
        _order("delete a record", f"STREAM.MSG.DELETE.{STREAM}", first),
        _order("purge calls' states", "STREAM.PURGE.KV_parley_calls"),
        _order("purge records", f"STREAM.PURGE.{STREAM}"),
        _order("delete calls' states", "STREAM.DELETE.KV_parley_calls"),
        _order("delete the records", f"STREAM.DELETE.{STREAM}"),
        _ask("ask the server who it is", "$SYS.REQ.USER.INFO"),
        _ask("list the account's connections", "$SYS.REQ.ACCOUNT.PING.CONNZ"),
        _ask("list the account's subscriptions", "$SYS.REQ.ACCOUNT.PING.SUBSZ"),
    ]


async def _flush(client: Client) -> None:
    """The server has seen all that was sent. (The client's first ping overtakes its buffer.)"""
    await client.flush()
    await client.flush()

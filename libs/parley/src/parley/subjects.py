"""The one place that spells NATS subjects.

parley.v1.job.{stt,agent,tts}     queue groups: claims
parley.v1.job.<stage>.<worker>    claims meant for one worker
parley.v1.worker.<stage>.<id>     what a worker says of itself, each second
parley.v1.worker.<stage>.<id>.probe   gateway -> worker   is it still connected to NATS?
parley.v1.gateway.<id>            what a gateway says of itself, each second
parley.v1.operate.<kind>.<id>     operator -> one worker or gateway (its kind: gateway or a stage)
parley.v1.conv.<id>.audio         gateway -> stt      frames
parley.v1.conv.<id>.heard         stt -> gateway      speech events, transcriptions
parley.v1.conv.<id>.reply         agent -> gateway    text
parley.v1.conv.<id>.speak         gateway -> tts      text segments to be spoken
parley.v1.conv.<id>.speech        tts -> gateway      PCM and marks
parley.v1.conv.<id>.control       broadcast           begin, interrupt, cancel, mute, end
parley.v1.record.<id>             JetStream           what happened in a conversation, to keep
parley.v1.usage                   gateway -> gateways   the calls of each API key, each second
parley.v1.spent.<key>.<period>    JetStream           seconds of calls in a day, or a month: counted
"""

import re
from enum import StrEnum

PREFIX = "parley.v1"
WORKERS = f"{PREFIX}.worker.*.*"
GATEWAYS = f"{PREFIX}.gateway.*"
RECORDS = f"{PREFIX}.record.*"
USAGE = f"{PREFIX}.usage"
SPENT = f"{PREFIX}.spent.*.*"

NAME = r"[A-Za-z0-9_-]{1,64}"
"""What may be one token of a subject."""


class Stage(StrEnum):
    """The three kinds of work. The value is what subjects and metrics say."""

    STT = "stt"
    AGENT = "agent"
    TTS = "tts"


def job(stage: Stage) -> str:
    """Where a piece of work of that stage is claimed; its queue group is the stage's name."""
    return f"{PREFIX}.job.{stage}"


def job_of(stage: Stage, worker_id: str) -> str:
    """Where a piece of work is offered to one worker alone."""
    return f"{PREFIX}.job.{stage}.{_token(worker_id)}"


def probe(stage: Stage, worker_id: str) -> str:
    """A request here is answered by NATS itself, with no responders, once the worker is gone."""
    return f"{worker(stage, worker_id)}.probe"


def record(conversation_id: str) -> str:
    """What happened in a conversation."""
    return f"{PREFIX}.record.{_token(conversation_id)}"


def spent(key: str, period: str) -> str:
    """Where the time that an API key's calls take is added up."""
    return f"{PREFIX}.spent.{_token(key)}.{_token(period)}"


def worker(stage: Stage, worker_id: str) -> str:
    """Where a worker announces itself."""
    return f"{PREFIX}.worker.{stage}.{_token(worker_id)}"


def gateway(gateway_id: str) -> str:
    """Where a gateway announces itself."""
    return f"{PREFIX}.gateway.{_token(gateway_id)}"


def operate(process_id: str) -> str:
    """What an operator orders one worker or gateway; its id begins with its kind and a dash."""
    kind, _, rest = process_id.partition("-")
    if not rest:
        raise ValueError(f"not the id of a worker or gateway: {process_id!r}")
    return f"{PREFIX}.operate.{_token(kind)}.{_token(process_id)}"


def audio(conversation_id: str) -> str:
    """The caller's frames."""
    return _conversation(conversation_id, "audio")


def speak(conversation_id: str) -> str:
    """Text to be spoken."""
    return _conversation(conversation_id, "speak")


def control(conversation_id: str) -> str:
    """What everyone with work of the conversation must know."""
    return _conversation(conversation_id, "control")


def input_of(stage: Stage, conversation_id: str) -> str | None:
    """Where a job of that stage gets its input; None where the request carries it all."""
    match stage:
        case Stage.STT:
            return audio(conversation_id)
        case Stage.TTS:
            return speak(conversation_id)
        case Stage.AGENT:
            return None


def output_of(stage: Stage, conversation_id: str) -> str:
    """Where a job of that stage puts its output: heard, reply or speech."""
    names = {Stage.STT: "heard", Stage.AGENT: "reply", Stage.TTS: "speech"}
    return _conversation(conversation_id, names[stage])


def _conversation(conversation_id: str, leaf: str) -> str:
    return f"{PREFIX}.conv.{_token(conversation_id)}.{leaf}"


def _token(text: str) -> str:
    """`text`, if it is safe as one token of a subject; else ValueError.

    A token with a dot or a wildcard would reach another conversation's subjects.
    """
    if not re.fullmatch(NAME, text):
        raise ValueError(
            f"not usable in a subject (letters, digits, '-', '_'; 64 at most): {text!r}"
        )
    return text

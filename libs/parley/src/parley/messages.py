"""Every message that crosses NATS, but for audio frames (`frames`).

A message is a msgpack map with its version `v` and its `type`; it is validated on arrival.
Fields that a reader does not know are ignored, so that a newer sender can add some; a
message of another version or an unknown type is refused.
"""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

import msgpack
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from parley.marks import Mark
from parley.operating import CallsWanted, Drain, GatewayStatus, LiveCalls
from parley.subjects import NAME, Stage
from parley.wire import VERSION
from parley.wire import BadMessage as BadMessage
from parley.wire import Message as Message

WorkerId = Annotated[str, Field(pattern=f"^{NAME}$")]
"""A worker's own word for itself; subjects are made of it."""

_MONTH_MS = 31 * 24 * 3600 * 1000.0
Position = Annotated[float, Field(ge=-_MONTH_MS, le=_MONTH_MS)]
"""A place (ms) in the call's audio. No call is longer than a month."""


class Retry(StrEnum):
    """Whether work that was refused or failed may be tried again elsewhere."""

    NOW = "now"
    LATER = "later"
    NEVER = "never"


class JobRequest(Message):
    """Asks the workers of a stage to take a job. `spec` is the stage's: see HearingSpec etc."""

    type: Literal["job_request"] = "job_request"
    stage: Stage
    conversation_id: str
    turn: int = Field(ge=0)
    attempt: int = Field(ge=1)
    spec: dict[str, Any]


class JobAccepted(Message):
    """The answer of the worker that has taken the job and listens on its subjects."""

    type: Literal["job_accepted"] = "job_accepted"
    worker_id: WorkerId


class JobRefused(Message):
    """The answer of a worker that has not; `reason` is for people."""

    type: Literal["job_refused"] = "job_refused"
    reason: str
    retry: Retry = Retry.NOW
    retry_after: float | None = None
    """With `later`: seconds until it is worth trying again, where that is known."""


class WorkerStatus(Message):
    """What a worker says of itself each second, and once more as it leaves; `host` is the name of
    the machine, or the container, that it runs on.
    """

    type: Literal["worker_status"] = "worker_status"
    worker_id: WorkerId
    host: str = ""
    stage: Stage
    capacity: int
    running: int
    state: Literal["ready", "draining", "gone"]
    providers: list[str] = []


class JobMessage(Message):
    """What belongs to one job. `seq` counts the job's messages in one direction from 0."""

    turn: int = Field(ge=0)
    attempt: int = Field(ge=1)
    seq: int = Field(ge=0)


class SpeechStarted(JobMessage):
    """The caller began to speak `position_ms` into the call's audio."""

    type: Literal["speech_started"] = "speech_started"
    position_ms: Position


class SpeechProgress(JobMessage):
    """The caller still speaks at `position_ms`, for `speech_ms` of voice so far."""

    type: Literal["speech_progress"] = "speech_progress"
    speech_ms: float
    position_ms: Position


class SpeechEnded(JobMessage):
    """The caller's voice ended `position_ms` into the call's audio; more may follow."""

    type: Literal["speech_ended"] = "speech_ended"
    position_ms: Position


class Transcription(JobMessage):
    """What the caller said. A partial one is replaced by the next; a final one stays.

    It covers the call's audio up to `position_ms`. What a final one covers need not be heard again
    by a transcriber that takes over.

    `is_interrupt`, whether it cut the bot off, is for the gateway to say: it alone knows what
    the bot was doing.
    """

    type: Literal["transcription"] = "transcription"
    message: str
    confidence: float = Field(default=1.0, ge=0, le=1)
    is_final: bool
    position_ms: Position
    is_interrupt: bool = False
    took_ms: float = 0.0


class EagerEndOfTurn(JobMessage):
    """The caller is probably done, and `transcription`s have all of their words: a reply may be
    begun, but nobody may hear it before EndOfTurn. SpeechStarted, TurnResumed or another
    transcription takes this back.
    """

    type: Literal["eager_end_of_turn"] = "eager_end_of_turn"
    position_ms: Position


class TurnResumed(JobMessage):
    """After EagerEndOfTurn the transcriber finds that the caller is not done."""

    type: Literal["turn_resumed"] = "turn_resumed"
    position_ms: Position


class EndOfTurn(JobMessage):
    """The caller is done: what the final transcriptions since the last one say is their turn."""

    type: Literal["end_of_turn"] = "end_of_turn"
    position_ms: Position


class ReplyText(JobMessage):
    """The next piece of the reply's text."""

    type: Literal["reply_text"] = "reply_text"
    text: str


class ToolCall(BaseModel):
    """A model wants a tool to be called. `arguments` is the text of a JSON object."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    arguments: str = "{}"
    signature: str = ""
    """What the provider wants back with the call; another provider ignores it."""


class ToolsCalled(JobMessage):
    """The model wants these tools to be called, at once, after the text so far.

    They are under way now, unless the request's `hold_tools` keeps them waiting. While they run,
    and the caller has heard nothing for `filler_after_ms`, `filler` may be said.
    """

    type: Literal["tools_called"] = "tools_called"
    calls: list[ToolCall]
    filler: str = ""
    filler_after_ms: int = 0


class ToolReturned(JobMessage):
    """What a call has given, for the model; `ok`: whether it went well."""

    type: Literal["tool_returned"] = "tool_returned"
    id: str
    ok: bool
    content: str
    took_ms: float = 0.0


class Speak(JobMessage):
    """Speak this text. Segments of a turn are numbered from 0."""

    type: Literal["speak"] = "speak"
    segment: int = Field(ge=0)
    text: str


class SpeakEnd(JobMessage):
    """No more text comes for this turn."""

    type: Literal["speak_end"] = "speak_end"


class SpeechMarks(JobMessage):
    """Marks of a segment, in order; they come before or with the audio they tell of."""

    type: Literal["speech_marks"] = "speech_marks"
    segment: int
    marks: list[Mark]


class SegmentSpoken(JobMessage):
    """All audio of the segment has been sent; it lasts `duration_ms`."""

    type: Literal["segment_spoken"] = "segment_spoken"
    segment: int
    duration_ms: float


class Heartbeat(JobMessage):
    """The job lives, though it had nothing to say for a while."""

    type: Literal["heartbeat"] = "heartbeat"


class Draining(JobMessage):
    """The worker is about to stop: another should take this job over, soon."""

    type: Literal["draining"] = "draining"


class Done(JobMessage):
    """The job is complete. The last message of a job that went well."""

    type: Literal["done"] = "done"


class Failed(JobMessage):
    """The job is lost; `reason` is for people. The last message of a job that went wrong."""

    type: Literal["failed"] = "failed"
    reason: str
    retry: Retry = Retry.NOW
    retry_after: float | None = None
    """With `later`: seconds until it is worth trying again, where that is known."""


class Begin(Message):
    """The gateway has the worker's acceptance: the job may begin.

    A worker that was frozen when it was asked, and accepts when nobody waits for it any more,
    gets none, and lets go of the job.
    """

    type: Literal["begin"] = "begin"
    stage: Stage
    turn: int
    attempt: int


class Interrupt(Message):
    """Whoever holds interruptible work of that turn or an older one cancels it."""

    type: Literal["interrupt"] = "interrupt"
    turn: int


class Cancel(Message):
    """One job is not wanted any more."""

    type: Literal["cancel"] = "cancel"
    stage: Stage
    turn: int
    attempt: int


class Mute(Message):
    """From here on the transcriber hears silence (`muted`), or the caller again."""

    type: Literal["mute"] = "mute"
    muted: bool


class End(Message):
    """The conversation is over: every job of it ends."""

    type: Literal["end"] = "end"
    reason: str = ""


class Taken(Message):
    """Another gateway has resumed the conversation; whoever held it before lets go of it."""

    type: Literal["taken"] = "taken"
    epoch: int


class KeysInUse(Message):
    """What a gateway tells the others each second: of each API key, by its name, the calls that it
    has now, and how many it has begun within the last minute.
    """

    type: Literal["keys_in_use"] = "keys_in_use"
    gateway_id: str
    keys: dict[str, tuple[int, int]]


class KeepAlive(Message):
    """The gateway still holds this conversation. A job that hears none for long gives up.

    `fence` repeats how far interrupts have come, for whoever missed the broadcast.
    """

    type: Literal["keep_alive"] = "keep_alive"
    fence: int = -1


AnyMessage = Annotated[
    JobRequest | JobAccepted | JobRefused | WorkerStatus
    | SpeechStarted | SpeechProgress | SpeechEnded | Transcription
    | EagerEndOfTurn | TurnResumed | EndOfTurn
    | ReplyText | ToolsCalled | ToolReturned | Speak | SpeakEnd | SpeechMarks | SegmentSpoken
    | Heartbeat | Draining | Done | Failed
    | Begin | Interrupt | Cancel | Mute | End | Taken | KeepAlive | KeysInUse
    | GatewayStatus | Drain | CallsWanted | LiveCalls,
    Field(discriminator="type"),
]  # fmt: skip

_any_message: TypeAdapter[AnyMessage] = TypeAdapter(AnyMessage)


def encode(message: Message) -> bytes:
    """The message as msgpack."""
    fields = message.model_dump()
    fields["v"] = VERSION
    return bytes(msgpack.packb(fields))


def decode(data: bytes) -> AnyMessage:
    """The message in `data`; raises BadMessage with a reason."""
    try:
        fields = msgpack.unpackb(data)
    except Exception as error:
        raise BadMessage(f"not msgpack: {error}") from error
    if not isinstance(fields, dict):
        raise BadMessage("not a map")
    if fields.pop("v", None) != VERSION:
        raise BadMessage(f"not of version {VERSION}")
    try:
        return _any_message.validate_python(fields)
    except ValidationError as error:
        raise BadMessage(what_is_wrong(error)) from None


def what_is_wrong(error: ValidationError) -> str:
    """The first fault, for people, without what was given: that may be what a caller said."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


class Spec(BaseModel):
    """What a stage needs to know of a job: which provider, with which settings."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    stage: ClassVar[Stage]

    provider: str
    settings: dict[str, Any] = {}
    language: str = "en-US"


class HearingSpec(Spec):
    """One conversation's hearing. The audio comes as PCM16 mono at `sample_rate` Hz.

    So much silence (ms) ends a turn: `endpointing_ms` one that seems complete, more where it does
    not, at most `endpointing_max_ms`.
    `turn_open`: a turn whose first words another worker has recognised is not over yet.
    """

    stage = Stage.STT
    sample_rate: int
    endpointing_ms: int = Field(gt=0)
    endpointing_max_ms: int = Field(default=0, ge=0)
    turn_open: bool = False


class ToolDescription(BaseModel):
    """What a model is told of a tool. `parameters` is a JSON schema of type object."""

    model_config = ConfigDict(frozen=True)

    name: str
    description: str = ""
    parameters: dict[str, Any] = {"type": "object", "properties": {}}


class ChatMessage(BaseModel):
    """One entry of the history, as language models take it.

    An assistant's may have `tool_calls`; each is followed by a message of the role `tool`, whose
    `content` is what that call, `tool_call_id`, has given.
    """

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: list[ToolCall] = []
    tool_call_id: str = ""


class ReplySpec(Spec):
    """One turn's reply to this history; the last message is the caller's.

    `prepare`: no reply is wanted yet, only readiness for a call that begins with this history.
    `ahead`: so while the caller still speaks the last message; refused where that is no use.
    `written`: what a worker that was lost has written of this reply; only the rest is wanted.

    `tools`: those of the profile (`parley.tools`). With `hold_tools` none is run: the job is done
    once the model has called some. A history may end with tools that this reply has called, and
    their results. Calls without a result are to be run first; those in `begun` have been begun
    by a worker that was lost.
    """

    stage = Stage.AGENT
    history: list[ChatMessage]
    is_interrupt: bool = False
    prepare: bool = False
    ahead: bool = False
    written: str = ""
    tools: list[dict[str, Any]] = []
    hold_tools: bool = False
    begun: list[str] = []


class SpeechSpec(Spec):
    """One turn's speech, wanted as PCM16 mono at `sample_rate` Hz."""

    stage = Stage.TTS
    sample_rate: int

"""The native protocol's messages and refusals: see docs/protocol.md."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from parley.audio import SAMPLE_RATES, duration_ms, mulaw_decode, mulaw_encode
from parley_gateway.call_record import BadToken, ResumeToken

MAX_FRAME_BYTES = 65_536
"""The largest binary or text message that a client may send."""
MAX_TEXT_CHARACTERS = 4_000
"""The longest typed turn."""
MAX_NAME_CHARACTERS = 64
"""So much of what a client asks for is repeated in an error."""
MAX_AHEAD_SECONDS = 10.0
"""How far a client's audio may run ahead of real time."""
MAX_POSITION_MS = 30 * 24 * 3600 * 1000.0
"""No call is longer than a month."""
RETRY_MS = (1000, 5000)
"""When a client that was refused may ask again: some time between, so that not all come at once."""
MOVE_MS = (0, 300)
"""The same for a call that is to go on elsewhere."""


class ProtocolError(Exception):
    """The client did something wrong, or cannot be served. `close_code` None: the call goes on.

    `retry_after_ms`: when it is worth asking again; None where it never is.
    """

    def __init__(
        self,
        code: str,
        message: str,
        close_code: int | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.close_code = close_code
        self.retry_after_ms = retry_after_ms


def bad_format(message: str) -> ProtocolError:
    """The query asks for what does not exist."""
    return ProtocolError("bad_format", message, 4400)


def unauthorized() -> ProtocolError:
    """The token is missing or wrong."""
    return ProtocolError("unauthorized", "the token is missing or wrong", 4401)


def token_expired() -> ProtocolError:
    """The signed token has run out."""
    return ProtocolError("token_expired", "the token has run out: get a new one", 4401)


def token_used() -> ProtocolError:
    """The signed token has begun its one call."""
    return ProtocolError("token_used", "the token was used already: get a new one", 4401)


def wrong_origin() -> ProtocolError:
    """A web page that may not call with that key."""
    return ProtocolError("wrong_origin", "pages of this origin may not call", 4403)


def too_many_calls(message: str, after_ms: int = 0) -> ProtocolError:
    """The key has as many calls as it may; in `after_ms` it may have room again."""
    return ProtocolError("too_many_calls", message, 4429, after_ms + random.randint(*RETRY_MS))


def quota_used_up(message: str) -> ProtocolError:
    """The key's time is used up: it is no use to ask again soon."""
    return ProtocolError("quota_used_up", message, 4429)


def unknown_agent(name: str, known: list[str]) -> ProtocolError:
    """No profile of that name, or none that may be called with that key."""
    there_are = ", ".join(known) or "none"
    text = f"no agent {name[:MAX_NAME_CHARACTERS]!r}; there are: {there_are}"
    return ProtocolError("unknown_agent", text, 4404)


def client_too_slow() -> ProtocolError:
    """The client does not read what it is sent."""
    return ProtocolError("client_too_slow", "you do not read fast enough", 4408)


def frame_too_large(size: int) -> ProtocolError:
    """One message was over the limit."""
    text = f"a message of {size} bytes; at most {MAX_FRAME_BYTES} are allowed"
    return ProtocolError("frame_too_large", text, 4413)


def audio_too_fast() -> ProtocolError:
    """Audio came much faster than real time."""
    text = f"audio runs more than {MAX_AHEAD_SECONDS:.0f} s ahead of real time"
    return ProtocolError("audio_too_fast", text, 4429)


def no_capacity(message: str) -> ProtocolError:
    """Nobody can take this call now."""
    return ProtocolError("no_capacity", message, 4503, random.randint(*RETRY_MS))


def unusable_agent(message: str) -> ProtocolError:
    """The agent's profile names a provider or a setting that does not work."""
    return ProtocolError("unusable_agent", message, 4500)


def draining() -> ProtocolError:
    """This gateway is about to stop, and takes no call any more."""
    text = "this server is about to stop; connect again"
    return ProtocolError("draining", text, 4504, random.randint(*RETRY_MS))


def move_on(*, resumable: bool) -> ProtocolError:
    """This gateway is about to stop: the call is to go on at another."""
    how = "connect again with your resume token" if resumable else "call again"
    text = f"this server is about to stop; {how}"
    return ProtocolError("draining", text, 4504, random.randint(*MOVE_MS))


def resumed_elsewhere() -> ProtocolError:
    """Somebody with the call's token has gone on with it over another connection."""
    return ProtocolError("resumed_elsewhere", "the call goes on over another connection", 4409)


def not_resumable() -> ProtocolError:
    """No such call, or not any more, or not with that secret: which of them is not told."""
    text = "that call is over, or its time has run out: call anew, without a resume token"
    return ProtocolError("not_resumable", text, 4410)


def too_long(seconds: float) -> ProtocolError:
    """The call has reached the longest that is allowed."""
    return ProtocolError("too_long", f"a call may last {seconds:.0f} s", 4408)


def client_gone(seconds: float) -> ProtocolError:
    """Nothing has come from the client for so long that it cannot be there."""
    return ProtocolError("client_gone", f"nothing has come from you for {seconds:.0f} s", 4408)


def too_many_messages() -> ProtocolError:
    """Messages came much faster than any client has use for."""
    return ProtocolError("too_many_messages", "you send messages too fast", 4429)


def bad_message(message: str) -> ProtocolError:
    """A text message that cannot be understood; the call goes on."""
    return ProtocolError("bad_message", message)


# --- What clients send


class InterruptRequest(BaseModel):
    """Silence the bot now."""

    type: Literal["interrupt"]


class TextTurn(BaseModel):
    """A typed user turn."""

    model_config = ConfigDict(str_strip_whitespace=True)

    type: Literal["text"]
    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)


class Playback(BaseModel):
    """How much (ms) of a turn's audio the client has really played."""

    model_config = ConfigDict(allow_inf_nan=False)

    type: Literal["playback"]
    turn: int = Field(ge=0)
    ms: float = Field(ge=0)


class Ping(BaseModel):
    """Asks for a pong."""

    type: Literal["ping"]


class EndRequest(BaseModel):
    """Hang up."""

    type: Literal["end"]


ClientMessage = Annotated[
    InterruptRequest | TextTurn | Playback | Ping | EndRequest, Field(discriminator="type")
]
_client_message: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)


def parse_client_message(text: str) -> ClientMessage:
    """The message in `text`; raises bad_message with what is wrong. Unknown fields are ignored."""
    try:
        return _client_message.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise bad_message(f"{where}: {first['msg']}" if where else first["msg"]) from None


# --- Audio formats


@dataclass(frozen=True)
class AudioFormat:
    """How audio looks on this call's connection, both ways."""

    sample_rate: int
    encoding: Literal["linear16", "mulaw"]

    @property
    def bytes_per_second(self) -> int:
        """Bytes of this format in a second."""
        return self.sample_rate * (2 if self.encoding == "linear16" else 1)

    def decode(self, data: bytes) -> bytes:
        """PCM16 of what the client sent. Raises bad_audio for half a sample."""
        if self.encoding == "mulaw":
            return mulaw_decode(data)
        if len(data) % 2:
            raise ProtocolError(
                "bad_audio", f"{len(data)} bytes of linear16: a sample has two; frame dropped"
            )
        return data

    def encode(self, pcm: bytes) -> bytes:
        """PCM16 as the client takes it."""
        return mulaw_encode(pcm) if self.encoding == "mulaw" else pcm

    def duration_ms(self, pcm: bytes) -> float:
        """The length of PCM16 at this rate."""
        return duration_ms(len(pcm), self.sample_rate)


def parse_format(sample_rate: str, encoding: str) -> AudioFormat:
    """The format that the query asks for. Raises bad_format."""
    rates = {str(rate): rate for rate in SAMPLE_RATES}
    if sample_rate not in rates:
        shown = sample_rate[:MAX_NAME_CHARACTERS]
        raise bad_format(f"sample_rate {shown!r}; allowed: {', '.join(rates)}")
    if encoding == "linear16":
        return AudioFormat(rates[sample_rate], "linear16")
    if encoding == "mulaw":
        return AudioFormat(rates[sample_rate], "mulaw")
    raise bad_format(f"encoding {encoding[:MAX_NAME_CHARACTERS]!r}; allowed: linear16, mulaw")


# --- Coming back


@dataclass(frozen=True)
class ResumeRequest:
    """A client wants to go on with a call.

    `heard`: the turn, and the ms of its audio, that it has played; `audio_ms`: the position, in
    the client's own count of all it has captured, of the oldest audio that it can send again.
    """

    token: ResumeToken
    heard: tuple[int, float] | None
    audio_ms: float


def parse_resume(query: Mapping[str, str]) -> ResumeRequest:
    """What the query asks for. Raises not_resumable or bad_format."""
    try:
        token = ResumeToken.parse(query["resume"])
    except BadToken:
        raise not_resumable() from None
    heard = None
    if "heard_turn" in query and "heard_ms" in query:
        heard = int(_number(query, "heard_turn")), _number(query, "heard_ms")
    return ResumeRequest(token, heard, _number(query, "audio_ms"))


def _number(query: Mapping[str, str], name: str) -> float:
    text = query.get(name, "0")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MAX_POSITION_MS:
        shown = text[:MAX_NAME_CHARACTERS]
        raise bad_format(f"{name} {shown!r}: a number of 0 or more is expected")
    return value


# --- What the server sends

ServerEvent = dict[str, Any]


def event(kind: str, **fields: Any) -> ServerEvent:
    """A message to the client; its `type` first."""
    return {"type": kind, **fields}


def error_event(error: ProtocolError) -> ServerEvent:
    """The message that tells of an error."""
    fatal = error.close_code is not None
    found = event("error", code=error.code, message=str(error), fatal=fatal)
    if error.retry_after_ms is not None:
        found["retry_after_ms"] = error.retry_after_ms
    return found

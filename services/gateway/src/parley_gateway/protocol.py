"""The native protocol's messages and refusals: see docs/protocol.md."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from parley.audio import SAMPLE_RATES, duration_ms, mulaw_decode, mulaw_encode

MAX_FRAME_BYTES = 65_536
"""The largest binary or text message that a client may send."""
MAX_TEXT_CHARACTERS = 4_000
"""The longest typed turn."""
MAX_AHEAD_SECONDS = 10.0
"""How far a client's audio may run ahead of real time."""


class ProtocolError(Exception):
    """The client did something wrong, or cannot be served. `close_code` None: the call goes on."""

    def __init__(self, code: str, message: str, close_code: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.close_code = close_code


def bad_format(message: str) -> ProtocolError:
    """The query asks for what does not exist."""
    return ProtocolError("bad_format", message, 4400)


def unauthorized() -> ProtocolError:
    """The token is missing or wrong."""
    return ProtocolError("unauthorized", "the token is missing or wrong", 4401)


def unknown_agent(name: str, known: list[str]) -> ProtocolError:
    """No profile of that name."""
    return ProtocolError("unknown_agent", f"no agent {name!r}; there are: {', '.join(known)}", 4404)


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
    return ProtocolError("no_capacity", message, 4503)


def unusable_agent(message: str) -> ProtocolError:
    """The agent's profile names a provider or a setting that does not work."""
    return ProtocolError("unusable_agent", message, 4500)


def draining() -> ProtocolError:
    """This gateway is about to stop."""
    return ProtocolError("draining", "this server is about to stop; connect again", 4504)


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
    if not (sample_rate.isascii() and sample_rate.isdigit() and int(sample_rate) in SAMPLE_RATES):
        allowed = ", ".join(str(rate) for rate in SAMPLE_RATES)
        raise bad_format(f"sample_rate {sample_rate!r}; allowed: {allowed}")
    if encoding == "linear16":
        return AudioFormat(int(sample_rate), "linear16")
    if encoding == "mulaw":
        return AudioFormat(int(sample_rate), "mulaw")
    raise bad_format(f"encoding {encoding!r}; allowed: linear16, mulaw")


# --- What the server sends

ServerEvent = dict[str, Any]


def event(kind: str, **fields: Any) -> ServerEvent:
    """A message to the client; its `type` first."""
    return {"type": kind, **fields}


def error_event(error: ProtocolError) -> ServerEvent:
    """The message that tells of an error."""
    return event("error", code=error.code, message=str(error), fatal=error.close_code is not None)

"""The tools that a profile gives its agent: see docs/tools.md.

A profile's tools travel with each reply to the worker that runs them, so they hold no secret.
"""

import re
from string import Formatter
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from parley.policies import Section
from parley.secret_refs import SecretRef

NAME = r"^[A-Za-z0-9_-]{1,64}$"
"""What all language models accept as a tool's name."""
FILLER = "One moment, please."
SAFE_METHODS = ("GET", "PUT", "DELETE")
"""Calling with these twice does what calling once does."""

_SECRET_NAME = re.compile(r"auth|cookie|key|token|secret|password", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"[{}]")


class Value(Section):
    """A header's or a variable's value: a text, or where the secret is. A text alone will do."""

    text: str = ""
    """The value, or what stands before the secret."""

    secret: SecretRef | None = None
    """Where the secret is: `env:NAME` or `file:/path`, where the worker runs."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value


def _wrong(what: str) -> PydanticCustomError:
    return PydanticCustomError("tool", "{what}", {"what": what})


def _by_reference(values: dict[str, Value]) -> dict[str, Value]:
    for name, value in values.items():
        if value.secret is None and _SECRET_NAME.search(name):
            raise _wrong(f"the value of {name} must be by reference: {{secret: env:NAME}}")
    return values


Values = Annotated[dict[str, Value], AfterValidator(_by_reference)]


class Slow(Section):
    """What all tools have that take their time."""

    timeout_seconds: float = Field(default=5.0, gt=0, le=120)
    """So long a call may take, with its retries. Then the model is told that it has failed."""

    filler: str = FILLER
    """What the bot says while the caller would wait in silence. Empty: nothing."""

    filler_after_ms: int = Field(default=700, ge=0, le=30_000)
    """After so much silence (ms)."""


class HttpTool(Slow):
    """A request to a web server. What it answers is what the model gets."""

    type: Literal["http"]

    name: str = Field(pattern=NAME)
    """What the model calls it."""

    description: str
    """What the model is told of it: what it does, and when to use it."""

    parameters: dict[str, Any] = {"type": "object", "properties": {}}
    """Its arguments: a JSON schema of the type `object`."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    """How it is called. Arguments that are not in `url` become the query, or a JSON body."""

    url: str = Field(pattern=r"^https?://[^/{}]+(/.*)?$")
    """Its address. `{argument}` stands for an argument's value, in the path or the query."""

    headers: Values = {}
    """Headers of the request; secrets by reference."""

    retries: int = Field(default=1, ge=0, le=5)
    """So often a call is tried again after a lost connection, 429 or 5xx, if that does no harm."""

    idempotent: bool | None = None
    """Whether calling twice does no harm, for example because the server knows the
    `Idempotency-Key` header. Default: yes for GET, PUT and DELETE, no for POST and PATCH."""

    @property
    def may_repeat(self) -> bool:
        """Whether a call may be made again when its outcome is not known."""
        return self.method in SAFE_METHODS if self.idempotent is None else self.idempotent

    @property
    def placeholders(self) -> set[str]:
        """The arguments that stand in the address."""
        return {name for _, name, _, _ in Formatter().parse(self.url) if name is not None}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.parameters.get("type") != "object":
            raise _wrong("parameters must be a JSON schema with type: object")
        unknown = self.placeholders - set(self.parameters.get("properties", {}))
        if unknown or _PLACEHOLDER.search(urlsplit(self.url).netloc):
            raise _wrong(f"url: {', '.join(sorted(unknown))} must be in parameters.properties")
        return self


class EndCall(Section):
    """The bot hangs up, once what it is saying has been heard."""

    type: Literal["end_call"]
    description: str = (
        "End the call, when the caller wants to or all is done. Say goodbye in the same reply."
    )
    """What the model is told of it."""


class TransferCall(Section):
    """The call is given to somebody else, once what the bot is saying has been heard."""

    type: Literal["transfer_call"]
    description: str = "Transfer the caller to somebody else. Say so in the same reply."
    """What the model is told of it."""

    destinations: dict[str, str] = Field(min_length=1)
    """Whom the model can choose, and the number or address of each, which the model never sees."""


class PlayDtmf(Section):
    """Keys of a telephone are pressed."""

    type: Literal["play_dtmf"]
    description: str = "Press keys of the telephone, for example to choose from a voice menu."
    """What the model is told of it."""

    tones: bool = False
    """Whether the tones are also played to the client as audio."""


class McpServer(Slow):
    """The tools of an MCP server: at `url`, or a program that the worker runs, `command`."""

    type: Literal["mcp"]

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,24}$")
    """What the names of its tools begin with, for the model: `name_tool`."""

    url: str | None = Field(default=None, pattern=r"^https?://")
    """Its address (streamable HTTP)."""

    headers: Values = {}
    """Headers of each request to `url`; secrets by reference."""

    command: str | None = None
    """The program. The worker runs only what its PARLEY_MCP_COMMANDS lists."""

    args: list[str] = []
    """The program's arguments."""

    env: Values = {}
    """Variables of the program's environment; secrets by reference."""

    allow: list[str] | None = None
    """The tools that the model is given, by the server's names. Default: all."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.url is None) == (self.command is None):
            raise _wrong("an MCP server has either a url or a command")
        return self


Tool = Annotated[
    HttpTool | EndCall | TransferCall | PlayDtmf | McpServer, Field(discriminator="type")
]
BuiltIn = EndCall | TransferCall | PlayDtmf


def name_of(tool: Tool) -> str:
    """What the model calls a tool; of an MCP server, what its tools' names begin with."""
    return tool.name if isinstance(tool, HttpTool | McpServer) else tool.type


def _distinct(tools: list[Tool]) -> list[Tool]:
    names = [name_of(tool) for tool in tools]
    if twice := {name for name in names if names.count(name) > 1}:
        raise _wrong(f"two tools have the same name: {', '.join(sorted(twice))}")
    return tools


Tools = Annotated[list[Tool], AfterValidator(_distinct)]
_tools: TypeAdapter[list[Tool]] = TypeAdapter(Tools)


def dump(tools: list[Tool]) -> list[dict[str, Any]]:
    """The tools as they travel."""
    return [tool.model_dump(mode="json", by_alias=True, exclude_defaults=True) for tool in tools]


def parse(tools: list[dict[str, Any]]) -> list[Tool]:
    """The tools as `dump` has given them. Raises ValueError."""
    return _tools.validate_python(tools)

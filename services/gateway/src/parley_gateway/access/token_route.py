"""POST /tokens: a server that holds a key gets a signed token for one of its users' browsers."""

import time

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parley_gateway import metrics, protocol
from parley_gateway.access.door import Door, Visitor
from parley_gateway.access.tokens import MAX_SECONDS
from parley_gateway.protocol import ProtocolError

MAX_BODY_BYTES = 4096
STATUSES = {"unauthorized": 401, "token_expired": 401, "wrong_origin": 403, "unknown_agent": 404}
NO_STORE = {"Cache-Control": "no-store"}


class TokenRequest(BaseModel):
    """What is asked for. `seconds`: within which the call, or with `once` false calls, begin."""

    model_config = ConfigDict(extra="forbid")

    agent: str | None = Field(default=None, max_length=200)
    seconds: float = Field(default=60.0, ge=1, le=MAX_SECONDS, allow_inf_nan=False)
    once: bool = True


def route(door: Door, agents: frozenset[str]) -> Route:
    """The route, for a gateway with these agents."""

    async def make(request: Request) -> Response:
        try:
            grant = door.admit_key(Visitor.of(request))
        except ProtocolError as error:
            metrics.REFUSALS.labels(error.code).inc()
            return failed(error)
        if grant.name is None or door.signer is None:
            text = "this server signs no tokens: it needs PARLEY_KEYS and PARLEY_SIGNING_SECRET"
            return _error(404, "no_tokens", text)
        try:
            asked = TokenRequest.model_validate_json(await _body(request))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            return _error(400, "bad_request", f"{where}: {first['msg']}".lstrip(": "))
        known = sorted(name for name in agents if grant.admits(name))
        if asked.agent is not None and asked.agent not in known:
            return failed(protocol.unknown_agent(asked.agent, known))
        now = time.time()
        token = door.signer.sign(grant.name, asked.agent, asked.seconds, once=asked.once, now=now)
        return JSONResponse(
            {"token": token, "expires_at": now + asked.seconds}, 201, headers=NO_STORE
        )

    return Route("/tokens", make, methods=["POST"])


def failed(error: ProtocolError) -> Response:
    """An error of the protocol as an HTTP answer."""
    return _error(STATUSES.get(error.code, 400), error.code, str(error))


async def _body(request: Request) -> bytes:
    """What was sent; of more than is allowed, so much as to be refused."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            return b""
    return body or b"{}"


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status, headers=NO_STORE)

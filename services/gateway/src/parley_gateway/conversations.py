"""GET /conversations/<id>: what was said in a call, while it goes on and afterwards."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parley_gateway.history import History
from parley_gateway.store import Unavailable, UnknownCall

Authorized = Callable[[str], bool]
"""Whether a token is the one that callers, and readers, must give."""


def route(history: History, authorized: Authorized, *, recording: bool) -> Route:
    """The route; `recording`: whether this gateway records at all."""

    async def conversation(request: Request) -> Response:
        if not authorized(_token(request)):
            return _error(401, "unauthorized", "the token is missing or wrong")
        try:
            found = await history.conversation(request.path_params["conversation_id"])
        except ValueError as error:
            return _error(400, "bad_id", str(error))
        except UnknownCall:
            why = "its time has run out" if recording else "this server does not record calls"
            return _error(404, "unknown_conversation", f"no such conversation, or {why}")
        except Unavailable as error:
            text = f"the record cannot be read now: {error}"
            return _error(503, "unavailable", text, {"Retry-After": "5"})
        # A long conversation takes a while to write out: the calls' frames must not wait for it.
        return await asyncio.to_thread(JSONResponse, found)

    return Route("/conversations/{conversation_id}", conversation, methods=["GET"])


def _token(request: Request) -> str:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return request.query_params.get("token", "")


def _error(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status, headers)

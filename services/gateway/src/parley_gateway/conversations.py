"""GET /conversations/<id>: what was said in a call, while it goes on and afterwards."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parley_gateway.access import token_route
from parley_gateway.access.door import Door, Visitor
from parley_gateway.history import History
from parley_gateway.protocol import ProtocolError
from parley_gateway.store import Unavailable, UnknownCall


def route(history: History, door: Door, *, recording: bool) -> Route:
    """The route; `recording`: whether this gateway records at all.

    It wants the API key with which the call was made. A signed token, which anybody's browser
    may hold, is not enough.
    """

    async def conversation(request: Request) -> Response:
        try:
            owner = door.admit_key(Visitor.of(request)).name
        except ProtocolError as error:
            return token_route.failed(error)
        if not recording:
            return _error(404, "unknown_conversation", "this server does not record calls")
        try:
            found = await history.conversation(request.path_params["conversation_id"], owner)
        except ValueError as error:
            return _error(400, "bad_id", str(error))
        except UnknownCall:
            text = "no such conversation, or its time has run out"
            return _error(404, "unknown_conversation", text)
        except Unavailable as error:
            text = f"the record cannot be read now: {error}"
            return _error(503, "unavailable", text, {"Retry-After": "5"})
        # A long conversation takes a while to write out: the calls' frames must not wait for it.
        return await asyncio.to_thread(JSONResponse, found)

    return Route("/conversations/{conversation_id}", conversation, methods=["GET"])


def _error(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status, headers)

"""GET /conversations where nothing is kept."""

from types import SimpleNamespace
from typing import Any

import httpx
from starlette.applications import Starlette

from parley_gateway import conversations
from parley_gateway.config import GatewayConfig


def test_nothing_is_kept_unless_asked_for() -> None:
    fields = GatewayConfig.model_fields
    assert (fields["record_hours"].default, fields["recordings"].default) == (0.0, None)


async def test_a_gateway_that_records_nothing_says_so_without_asking_nats() -> None:
    nowhere: Any = None
    door: Any = SimpleNamespace(admit_key=lambda visitor: SimpleNamespace(name=""))
    route = conversations.route(nowhere, door, recording=False)
    app = httpx.ASGITransport(Starlette(routes=[route]))
    async with httpx.AsyncClient(transport=app, base_url="http://gateway") as client:
        answer = await client.get("/conversations/0123456789abcdef")
    assert answer.status_code == 404
    assert "does not record" in answer.json()["message"]

"""Tools that the gateway carries out, once what the bot says in this reply has been heard."""

from typing import Any

from parley.messages import ToolDescription
from parley.tools import BuiltIn, EndCall, PlayDtmf, TransferCall
from parley_agent.tools.base import Tool

LATER = "It will be done as soon as the caller has heard what you say now."
DIGITS = "^[0-9A-D*#w]{1,64}$"


class Promise(Tool):
    """All that the worker does is to say that it will be done."""

    may_repeat = True

    def __init__(self, tool: BuiltIn) -> None:
        described = ToolDescription(
            name=tool.type, description=tool.description, parameters=_parameters(tool)
        )
        super().__init__(described)
        self._silently = isinstance(tool, PlayDtmf)

    async def call(self, arguments: dict[str, Any], key: str) -> str:
        """Say that it will be done."""
        return LATER

    def ends_reply(self, *, said: bool) -> bool:
        """Once the model has said something: nobody hangs up without a word."""
        return said or self._silently


def _parameters(tool: BuiltIn) -> dict[str, Any]:
    match tool:
        case EndCall():
            return {"type": "object", "properties": {}}
        case TransferCall():
            return _one("destination", {"type": "string", "enum": list(tool.destinations)})
        case PlayDtmf():
            what = "The keys to press: 0 to 9, *, #, A to D; w waits half a second."
            return _one("digits", {"type": "string", "pattern": DIGITS, "description": what})


def _one(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: schema}, "required": [name]}

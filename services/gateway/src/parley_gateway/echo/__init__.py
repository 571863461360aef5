"""The bot's own voice in the caller's microphone, and what is done about it."""

from collections.abc import Callable
from typing import Literal

from parley_gateway.echo.base import Echo
from parley_gateway.echo.cancel import EchoCancel
from parley_gateway.echo.mute import EchoMute
from parley_gateway.echo.overheard import Overheard

Policy = Literal["client", "mute", "cancel"]


def echo_for(policy: Policy, rate: int, mute: Callable[[bool], None]) -> Echo:
    """What a call at `rate` Hz does about echo. `mute` turns hearing off (True) and on."""
    match policy:
        case "client":
            return Echo()
        case "mute":
            return EchoMute(mute)
        case "cancel":
            return EchoCancel(rate)


__all__ = ["Echo", "EchoCancel", "EchoMute", "Overheard", "Policy", "echo_for"]

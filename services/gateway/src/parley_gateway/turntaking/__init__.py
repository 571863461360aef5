"""Whose turn it is, and what interrupts: see docs/turn-taking.md. Pure: no I/O, no clock."""

from parley_gateway.turntaking.actions import (
    Action,
    Answer,
    Backchannel,
    Drop,
    HangUp,
    Interrupt,
    Pause,
    Prepare,
    Resume,
    Say,
)
from parley_gateway.turntaking.machine import GREETING_TURN, TurnTaking
from parley_gateway.turntaking.states import State
from parley_gateway.turntaking.voice import BotContext

__all__ = [
    "GREETING_TURN",
    "Action",
    "Answer",
    "Backchannel",
    "BotContext",
    "Drop",
    "HangUp",
    "Interrupt",
    "Pause",
    "Prepare",
    "Resume",
    "Say",
    "State",
    "TurnTaking",
]

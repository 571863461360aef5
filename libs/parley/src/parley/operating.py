"""What operators see of gateways, and what they may tell one process: see `parley top`, `drain`.

An order goes to `subjects.operate(<id of a worker or gateway>)` as a request; the process answers.
On a locked-down NATS only the operator's user may publish there.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from parley.wire import Message


class GatewayStatus(Message):
    """What a gateway says of itself each second, and once more as it leaves.

    `running` is its calls. `keeps`: whether calls can be resumed. `voice_to_voice_ms`: of the
    turns that it has answered in the last minutes, the newest last.
    """

    type: Literal["gateway_status"] = "gateway_status"
    gateway_id: str
    host: str = ""
    capacity: int
    running: int
    state: Literal["ready", "waiting", "draining", "gone"]
    keeps: bool = False
    voice_to_voice_ms: list[float] = []


class Drain(Message):
    """Take no new work, finish or hand over what there is, and exit: as after SIGTERM.

    The answer is the process's status.
    """

    type: Literal["drain"] = "drain"


class CallsWanted(Message):
    """Which calls does this gateway hold? The answer is `LiveCalls`."""

    type: Literal["calls_wanted"] = "calls_wanted"


class LiveCall(BaseModel):
    """A call that goes on. `voice_to_voice_ms` is its last turn's, `failovers` how often a worker
    was lost under it at this gateway, `epoch` how many gateways have held it before.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    agent: str
    age_seconds: float
    state: str
    turn: int
    epoch: int = 0
    failovers: int = 0
    voice_to_voice_ms: float | None = None
    recording: str | None = None
    """The name of the file that its sound goes to, if it is recorded."""


class LiveCalls(Message):
    """The calls of one gateway."""

    type: Literal["live_calls"] = "live_calls"
    gateway_id: str
    calls: list[LiveCall]

"""Taking up a call that another gateway held: see docs/protocol.md, "Resuming a call"."""

from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from parley import subjects
from parley.bus import Bus, decode_or_drop, unsubscribe
from parley.messages import Taken
from parley_gateway.state import TalkState
from parley_gateway.stored_call import StoredCall


@dataclass(frozen=True)
class Resumed:
    """What a conversation that is taken up goes on from.

    `epoch` counts the gateways that have held the call: 1 for the first resume. `heard` is the
    turn, and the ms of that turn's audio, that the client says it has played; None where it
    says nothing. `audio_from_ms` is the position in the call's audio from which the client
    sends on.
    """

    state: TalkState
    epoch: int
    audio_from_ms: float = 0.0
    heard: tuple[int, float] | None = None


class TakenWatch:
    """Hears of it when another gateway takes a call that is held here, or tells of it.

    The store would say so at the next write; this is sooner.
    """

    def __init__(self, bus: Bus, stored: StoredCall) -> None:
        self._bus = bus
        self._stored = stored
        self._subject = subjects.control(stored.id)
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Begin to listen. Whoever held the call before lets go of it now."""
        self._subscription = await self._bus.subscribe(self._subject, self._on_message)
        if self._stored.record.epoch:
            await self._bus.publish(self._subject, Taken(epoch=self._stored.record.epoch))

    async def close(self) -> None:
        """Listen no more."""
        await unsubscribe(self._subscription)
        self._subscription = None

    async def _on_message(self, msg: Msg) -> None:
        message = decode_or_drop(msg.data, msg.subject)
        if isinstance(message, Taken) and message.epoch > self._stored.record.epoch:
            self._stored.lose()

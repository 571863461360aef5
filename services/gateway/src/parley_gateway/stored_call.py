"""One call's record as its gateway keeps it: what is to be written of it, and when."""

import asyncio
import math
from collections.abc import Callable

from parley_gateway.call_record import CallRecord
from parley_gateway.state import TalkState

PACE_SECONDS = 0.5
"""A call is not written more often, but for what begins or ends a turn."""
REFRESHES = 3
"""A record is written so many times in the time for which it must outlive its gateway."""


class StoredCall:
    """Tells the store when to write the call. `taken` is set once another gateway has it."""

    def __init__(
        self,
        record: CallRecord,
        revision: int,
        resume_seconds: float,
        due: Callable[["StoredCall"], None],
        forget: Callable[["StoredCall"], None],
    ) -> None:
        self.record = record
        self.revision = revision
        self.taken = asyncio.Event()
        self.gone = False
        """Whether nothing of it is written here any more."""
        self._resume_seconds = resume_seconds
        self._tell_due = due
        self._forget = forget
        self._clock = asyncio.get_running_loop().time
        self._waiting: list[asyncio.Future[bool]] = []
        self._deleting = False
        self._last = False
        self._busy = False
        self._wanted_at = math.inf
        self._written_at = -math.inf
        self._forget_at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    @property
    def id(self) -> str:
        """The conversation's."""
        return self.record.conversation_id

    # --- For the session

    def begin(self) -> None:
        """The call has begun: write it at once, but for a record that was written just now."""
        self.record = self.record.model_copy(update={"left": False})
        self.ask(0.0 if self.revision == 0 else self._clock() + self._resume_seconds / REFRESHES)

    def update(self, state: TalkState) -> None:
        """The call stands so now. The state must not change any more."""
        turned = _turns(state) != _turns(self.record.state)
        self.record = self.record.model_copy(update={"state": state})
        now = self._clock()
        self.ask(now if turned else max(now, self._written_at + PACE_SECONDS))

    async def flush(self) -> bool:
        """Write the newest state now, and wait for it; False if another gateway has the call.

        Waits as long as NATS is away: set it a limit.
        """
        if self.gone:
            return False
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(stored)
        self.ask(0.0)
        return await stored

    def let_go(self, *, left: bool = False) -> None:
        """The call is nobody's now: write it once more, and have it wait to be resumed.

        `left`: because its client is gone.
        """
        self.record = self.record.model_copy(update={"left": left or self.record.left})
        self._end()

    def delete(self) -> None:
        """The call is over for good."""
        if self.revision == 0 and self._written_at == -math.inf:
            self.drop()  # There is nothing to delete.
            return
        self._deleting = True
        self._end()

    def lose(self) -> None:
        """Another gateway has the call: nothing of it is written here any more."""
        self.taken.set()
        self.drop()

    def _end(self) -> None:
        if not self._last:
            self._last = True
            self._forget_at = self._clock() + self._resume_seconds
            self.ask(0.0)

    # --- For the store

    def ask(self, at: float) -> None:
        """Have the call written at `at` (s of the event loop's clock), or earlier."""
        if at < self._wanted_at and not self.gone:
            self._wanted_at = at
            self._arm()

    def begin_write(self) -> tuple[list[asyncio.Future[bool]], bool, bool]:
        """A write begins: who waits for it, whether it deletes, whether it is the last one."""
        self._wanted_at = math.inf
        self._written_at = self._clock()
        waiting, self._waiting = self._waiting, []
        return waiting, self._deleting, self._last

    def end_write(self, waiting: list[asyncio.Future[bool]], *, stored: bool) -> None:
        """The write is over; the next one is due when the record has lived a while."""
        self._busy = False
        _resolve(waiting, stored)
        self.ask(self._written_at + self._resume_seconds / REFRESHES)
        self._arm()

    def write_failed(self, waiting: list[asyncio.Future[bool]], retry_seconds: float) -> None:
        """The write is to be tried again."""
        self._busy = False
        self._waiting = waiting + self._waiting
        # What was asked for meanwhile would fail as well.
        self._wanted_at = math.inf
        self.ask(self._clock() + retry_seconds)

    @property
    def expired(self) -> bool:
        """Whether the call was let go of so long ago that nobody may resume it any more."""
        return self._clock() >= self._forget_at

    def drop(self) -> None:
        """No more writes; whoever waits for one is told."""
        if self.gone:
            return
        self.gone = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        _resolve(waiting, False)
        self._forget(self)

    def _arm(self) -> None:
        """Set the timer; while the call is being written, `end_write` will."""
        if self._busy or self.gone or self._wanted_at == math.inf:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._wanted_at, self._ready)

    def _ready(self) -> None:
        self._timer = None
        self._busy = True
        self._tell_due(self)


def _resolve(waiting: list[asyncio.Future[bool]], stored: bool) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(stored)


def _turns(state: TalkState) -> tuple[int, int, int | None]:
    """What is different after a turn has begun or ended."""
    return state.turn, len(state.entries), state.reply.turn if state.reply else None

"""One call heard by a cloud provider, over one connection after another.

    audio -> Replay -> take -> connection -> give_partial, give_final -> emit

What is here holds for all providers: audio waits and is replayed, a broken connection is followed
by the next, every FINALIZE is answered in time, and no word becomes final twice. What a connection
is, a subclass says.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

from parley.providers import Cue, Emit, Heard, ProviderError
from parley.statuses import late
from parley_stt.clouds.owed import Owed
from parley_stt.clouds.replay import Reconnects, Replay
from parley_stt.tasks import task_group

VOICE_END_MS = 800.0
"""By so much a provider's last word may end before the pause that voice activity has told of."""
NOTHING = Heard("", is_final=False)


class Connections(ABC):
    """Hears `audio`; `who` does it, for people."""

    def __init__(self, who: str, audio: AsyncIterator[bytes | Cue], emit: Emit) -> None:
        self.who = who
        self.replay = Replay()
        self.partial = NOTHING
        """The words so far that are in no final."""
        self.emit = emit
        self._audio = audio
        self._is_over = False
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._owed: deque[Owed] = deque()
        """For each FINALIZE without an answer."""
        self._owed_changed = asyncio.Event()
        self._voice_ms: float | None = None
        """Where the voice ended, if it did."""
        self._reconnects = Reconnects()

    async def run(self) -> None:
        """Hear until the audio ends. Raises ProviderError where hearing is lost."""
        async with task_group() as tasks:
            helpers = [
                tasks.create_task(self._feed()),
                tasks.create_task(self._watch()),
            ]
            await self._connect()
            for helper in helpers:
                helper.cancel()

    # --- What a subclass says

    @abstractmethod
    async def connection(self) -> None:
        """Hear over one connection, which has had nothing of the replay, until the audio is over.

        Raises ProviderError when it breaks off.
        """

    @property
    def idle_seconds(self) -> float | None:
        """Where there is nothing to send for so long, `take` says so."""
        return None

    @property
    def is_all(self) -> bool:
        """Whether the provider has said that its words are all up to the oldest FINALIZE."""
        return False

    @property
    def may_be_all(self) -> bool:
        """Where it does not say so: whether they have to do, if no more come."""
        return bool(self.partial.message)

    def gave_up(self) -> None:
        """A FINALIZE is answered without the provider, whose own answer may still come."""

    def broke(self) -> None:
        """The connection is gone, and with it what it knew."""

    # --- What a subclass uses

    def is_answer(self, end_ms: float) -> bool:
        """Whether a final that ends there can answer the oldest FINALIZE.

        It cannot if there was voice later: it was on its way when FINALIZE was sent.
        """
        return self.replay.owes > 0 and end_ms >= self._owed[0].voice_ms - VOICE_END_MS

    async def take(self, at_least: int = 1, at_most: int = 1 << 20) -> bytes | Cue | None:
        """What the connection is to be sent next, as of `Replay.take`.

        No bytes: there is nothing for `idle_seconds`. None: all is over, and all is answered.
        """
        since = _now()
        while True:
            until = None if self.idle_seconds is None else since + self.idle_seconds
            is_idle = until is not None and _now() >= until
            item = self.replay.take(1 if is_idle or self._is_over else at_least, at_most)
            if item is not None:
                self._took(item)
                return item
            if self._is_over and not self._owed:
                return None
            if is_idle:
                return b""
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._more.wait()
            self._more.clear()

    def gave_sign(self) -> None:
        """The provider has told something of the hearing."""
        self._reconnects.worked()
        if self.replay.owes:
            self._owed[0].gave(_now(), self.is_all)
        self.changed()

    def changed(self) -> None:
        """What `idle_seconds`, `is_all` or `may_be_all` says may be another thing now."""
        self._owed_changed.set()
        self._more.set()

    def give_partial(self, text: str, confidence: float = 1.0, end_ms: float | None = None) -> None:
        """The words since the last final, so far; they end there in the hearing."""
        had_words = self.partial.message
        self.partial = Heard(text, is_final=False, confidence=confidence, end_ms=end_ms)
        self.gave_sign()
        if text or had_words:
            self.emit(self.partial)

    def give_final(
        self,
        text: str,
        end_ms: float,
        *,
        answers: bool,
        turn_over: bool = False,
        confidence: float = 1.0,
    ) -> None:
        """Words that stay, and end there. `answers`: they are all up to the oldest FINALIZE.

        `turn_over`: the provider says that nobody speaks now.
        """
        self.gave_sign()
        if answers:
            self._answer(text, confidence)
            return
        self.replay.settle(end_ms, turn_over)
        had_words, self.partial = self.partial.message, NOTHING
        if text or had_words:
            self.emit(Heard(text, is_final=bool(text), confidence=confidence, end_ms=end_ms))

    # --- Its tasks

    async def _feed(self) -> None:
        async for item in self._audio:
            self.append(item)
            while self.replay.is_full:
                self._room.clear()
                await self._room.wait()
        self._is_over = True
        self._more.set()

    def append(self, item: bytes | Cue) -> None:
        """Hear this next."""
        self.replay.append(item)
        self._more.set()
        heard_ms = self.replay.heard_ms
        match item:
            case Cue.SPEECH_STARTED:
                self._voice_ms = None
            case Cue.PAUSE:
                self._voice_ms = heard_ms if self._voice_ms is None else self._voice_ms
            case Cue.FINALIZE:
                voice_ms = heard_ms if self._voice_ms is None else self._voice_ms
                self._owed.append(Owed(_now(), voice_ms))
                self._owed_changed.set()

    async def _connect(self) -> None:
        while True:
            self.replay.rewind()
            self._room.set()
            try:
                return await self.connection()
            except ProviderError as error:
                wait = self._reconnects.wait_seconds(error, _now())
            self.broke()
            for owed in self._owed:
                owed.told_all = None  # the next connection tells it anew
            self.changed()
            await asyncio.sleep(wait)

    async def _watch(self) -> None:
        """Answer each FINALIZE that the provider does not answer in time."""
        while True:
            self._owed_changed.clear()
            try:
                async with asyncio.timeout_at(self._until()):
                    await self._owed_changed.wait()
            except TimeoutError:
                if self._owed[0].told_all is None and not self.may_be_all:
                    raise late(self.who) from None
                self.gave_up()
                self._answer(self.partial.message, self.partial.confidence)

    def _until(self) -> float | None:
        if not self._owed:
            return None
        return self._owed[0].until(bool(self.partial.message), self.may_be_all)

    def _took(self, item: bytes | Cue) -> None:
        self._room.set()
        if item is Cue.FINALIZE:
            self._owed[self.replay.owes - 1].sent(_now(), self.replay.owes == 1 and self.is_all)
            self._owed_changed.set()

    def _answer(self, text: str, confidence: float) -> None:
        self.partial = NOTHING
        self.replay.answer()
        self._owed.popleft()
        if self.replay.owes:
            self._owed[0].notice(_now(), self.is_all)
        self.changed()
        self.emit(Heard(text, is_final=True, confidence=confidence))


def _now() -> float:
    return asyncio.get_running_loop().time()

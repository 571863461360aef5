"""How long a transcriber is waited for, and when it is given up.

Words that were not recognised can still be: the gateway has the audio and gives it to another
worker. So a transcriber that hangs fails the job, and no turn ends without its words. One that
is only behind, because much audio came at once or others need the recogniser, is waited for.
"""

import asyncio

from parley.providers import ProviderError, Transcriber

FINAL_SECONDS = 2.0
"""Without a sign of life for so long, a transcriber that owes something is taken for dead."""
LONGEST_SECONDS = 10.0
"""A final may take so long from FINALIZE on, whatever else the transcriber gives meanwhile."""


class AwaitedFinal:
    """The final of one turn, for as long as it is worth waiting for."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber
        self._done = asyncio.Event()
        self._asked = False
        self._from = self._sign = asyncio.get_running_loop().time()

    def took(self) -> None:
        """The transcriber took audio. It lives, as long as it does not have FINALIZE yet."""
        if not self._asked:
            self._begin()

    def asked(self) -> None:
        """The transcriber has FINALIZE: from now on it owes the final."""
        self._begin()
        self._asked = True

    def gave(self) -> None:
        """The transcriber gave a result, though not yet this final."""
        self._sign = asyncio.get_running_loop().time()

    def done(self) -> None:
        """The final is there."""
        self._done.set()

    async def wait(self) -> None:
        """Return when the final is there. Raises ProviderError when it is too late for it."""
        while not self._done.is_set():
            try:
                async with asyncio.timeout_at(self._deadline):
                    await self._done.wait()
            except TimeoutError:
                self._judge()

    @property
    def _deadline(self) -> float:
        return min(self._sign + FINAL_SECONDS, self._from + LONGEST_SECONDS)

    def _judge(self) -> None:
        if self._done.is_set() or asyncio.get_running_loop().time() < self._deadline:
            return
        if not self._transcriber.is_working:
            raise ProviderError("the transcriber gave no final transcription in time")
        self._begin()

    def _begin(self) -> None:
        self._from = self._sign = asyncio.get_running_loop().time()

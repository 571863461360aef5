"""Azure Speech speaks, through its native SDK.

Each sentence is a request of its own, as SSML, over a connection that is kept for the next. The
SDK can also stream text in (TextStream), but that is of use only where one request goes on for a
whole turn: our sentences are complete when they come, the first would wait as long, and SSML has
the pace and the silence at both ends, which a text stream has not.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import ClassVar
from weakref import WeakSet
from xml.sax.saxutils import escape, quoteattr

from pydantic import Field

from parley.audio import duration_ms
from parley.azure import WHO, AzureSettings
from parley.marks import Mark
from parley.providers import (
    ChunkResult,
    ProviderError,
    ProviderSettings,
    SynthesisResult,
    Synthesizer,
    SynthesizerCapabilities,
)
from parley_tts.clouds.azure_voices import SAMPLE_RATE, Voice, Word, config_of
from parley_tts.edges import LEAD_MS, tail_after

KEPT = 4
"""So many connections are kept open between sentences, at most ..."""
KEPT_SECONDS = 120.0
"""... and none is used again after so long: it may be dead."""


class AzureVoiceSettings(AzureSettings):
    """What an agent profile can set."""

    voice: str = Field(default="en-US-AvaMultilingualNeural", min_length=1)
    """The voice's name, of Azure's voice gallery. HD voices do not tell the times of words."""

    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    """How fast it speaks: 1.0 is its natural pace, 2.0 twice as fast."""


class AzureSynthesizer(Synthesizer):
    """Speaks sentence by sentence; all calls with the same settings share the connections."""

    Settings = AzureVoiceSettings
    settings: AzureVoiceSettings
    capabilities = SynthesizerCapabilities(gives_word_times=True)

    _all: ClassVar[WeakSet["AzureSynthesizer"]] = WeakSet()

    def __init__(self, settings: ProviderSettings, language: str) -> None:
        super().__init__(settings, language)
        self._config = config_of(self.settings, self.settings.key(WHO))
        self._kept: deque[tuple[float, Voice]] = deque()
        self._all.add(self)

    @classmethod
    async def shut_down(cls) -> None:
        """Close the connections that are kept."""
        for synthesizer in list(cls._all):
            await synthesizer._release(math.inf)

    async def create_speech(self, message: str) -> SynthesisResult:
        """Begin to speak; audio comes as Azure sends it."""

        async def chunks() -> AsyncGenerator[ChunkResult, None]:
            places = Places(message)
            spoken = 0
            async with aclosing(self._spoken(message)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Word):
                        result.marks += places.mark(piece)
                    elif piece:
                        spoken += len(piece)
                        yield ChunkResult(piece)
            result.duration_ms = duration_ms(spoken, SAMPLE_RATE)
            # Empty: which audio is the last is known only when nothing follows.
            yield ChunkResult(b"", is_last_chunk=True)

        result = SynthesisResult(message, SAMPLE_RATE, chunks())
        return result

    async def _spoken(self, message: str) -> AsyncGenerator[bytes | Word, None]:
        async with self.settings.account(WHO).stream():
            voice = await self._voice()
            try:
                async with aclosing(voice.say(self._ssml(message))) as pieces:
                    async for piece in pieces:
                        yield piece
            except ProviderError:
                await asyncio.to_thread(voice.release)
                raise
            except BaseException:
                self._keep(voice)  # nobody wants to hear more
                raise
            self._keep(voice)

    async def _voice(self) -> Voice:
        await self._release(time.monotonic() - KEPT_SECONDS)
        return self._kept.pop()[1] if self._kept else await asyncio.to_thread(Voice, self._config)

    def _keep(self, voice: Voice) -> None:
        self._kept.append((time.monotonic(), voice))

    async def _release(self, before: float) -> None:
        """Let go of what was last used before that moment, or is too much."""
        while self._kept and (len(self._kept) > KEPT or self._kept[0][0] < before):
            await asyncio.to_thread(self._kept.popleft()[1].release)

    def _ssml(self, message: str) -> str:
        readable = "".join(c for c in message if c >= " " or c in "\t\n")
        silences = {"Leading": LEAD_MS, "Tailing": tail_after(message)}
        exact = "".join(
            f'<mstts:silence type="{end}-exact" value="{ms:.0f}ms"/>'
            for end, ms in silences.items()
        )
        pace = f"{(self.settings.speed - 1) * 100:+.0f}%"
        return (
            '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis"'
            f' xmlns:mstts="http://www.w3.org/2001/mstts" xml:lang={quoteattr(self.language)}>'
            f"<voice name={quoteattr(self.settings.voice)}>{exact}"
            f'<prosody rate="{pace}">{escape(readable)}</prosody></voice></speak>'
        )


class Places:
    """Finds the words of a message as they are spoken. Their places in SSML are of no use."""

    def __init__(self, message: str) -> None:
        self._message = message
        self._after = 0
        self._known = -1
        self._start_ms = 0.0

    def mark(self, word: Word) -> list[Mark]:
        """The mark of the next word; none where the message does not have it so."""
        if word.start_ms < self._start_ms:
            self._after = 0  # before any audio came, the connection broke, and the SDK began anew
        self._start_ms = word.start_ms
        offset = self._message.find(word.text, self._after) if word.text else -1
        if offset < 0:
            return []
        self._after = offset + len(word.text)
        if offset <= self._known:
            return []
        self._known = offset
        return [Mark(word.text, offset, word.start_ms, word.end_ms)]

"""What the speech of all voices in the cloud has in common, whatever brings it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from parley.accounts import Account
from parley.audio import BYTES_PER_SAMPLE, duration_ms
from parley.providers import ChunkResult, SynthesisResult
from parley.statuses import broken_off

Speak = Callable[[SynthesisResult], AsyncGenerator[bytes, None]]
"""Yields PCM16, cut anywhere, and puts the marks into the result; ends where all is said."""


def cloud_speech(
    message: str, sample_rate: int, who: str, account: Account, speak: Speak
) -> SynthesisResult:
    """Speech that begins once it is asked for, as `speak` brings it, under leave of `account`.

    A message in which there is nothing to say is not sent. Speech without a sound, or with
    a word after its end, broke off.
    """

    async def chunks() -> AsyncGenerator[ChunkResult, None]:
        spoken_bytes, rest = 0, b""
        if any(character.isalnum() for character in message):
            async with account.stream(), aclosing(speak(result)) as pieces:
                async for piece in pieces:
                    pcm, rest = _whole_samples(rest + piece)
                    spoken_bytes += len(pcm)
                    if pcm:
                        yield ChunkResult(pcm)
            last_word_ms = max((mark.start_ms for mark in result.marks), default=0.0)
            if not spoken_bytes or duration_ms(spoken_bytes, sample_rate) < last_word_ms:
                raise broken_off(who)
        result.duration_ms = duration_ms(spoken_bytes, sample_rate)
        yield ChunkResult(b"", is_last_chunk=True)

    result = SynthesisResult(message, sample_rate, chunks())
    return result


def _whole_samples(pcm: bytes) -> tuple[bytes, bytes]:
    whole = len(pcm) - len(pcm) % BYTES_PER_SAMPLE
    return pcm[:whole], pcm[whole:]

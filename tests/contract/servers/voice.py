"""What speaks behind a contract server: the embedded voice, at any rate, with word times."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from parley.audio import Resampler
from parley.marks import Mark
from parley.providers import settings_for
from parley_tts.providers.hibari import HibariSynthesizer


async def speech(text: str, sample_rate: int) -> AsyncGenerator[tuple[bytes, list[Mark]], None]:
    """Yield PCM16 mono at `sample_rate` Hz, a sentence at a time, with the marks of its words.

    The marks' offsets are places in `text`, their times ms from its first sample.
    """
    synthesizer = HibariSynthesizer(settings_for(HibariSynthesizer, {}), "en-US")
    result = await synthesizer.create_speech(text)
    resampler = Resampler(result.sample_rate, sample_rate)
    told = 0
    async with aclosing(result.chunk_generator) as chunks:
        async for chunk in chunks:
            pcm = resampler.push(chunk.chunk, last=chunk.is_last_chunk)
            marks, told = result.marks[told:], len(result.marks)
            if pcm or marks:
                yield pcm, marks

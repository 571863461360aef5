"""PCM arithmetic, mu-law, resampling."""

import numpy as np

from parley import audio


def test_lengths() -> None:
    assert audio.duration_ms(640, 16_000) == 20
    assert audio.bytes_for(20, 8_000) == 320
    assert audio.bytes_for(0.03, 16_000) == 0


def test_mulaw_is_its_own_inverse_and_close_to_linear() -> None:
    codes = bytes(range(256))
    assert audio.mulaw_encode(audio.mulaw_decode(codes)).replace(b"\x7f", b"\xff") == codes.replace(
        b"\x7f", b"\xff"
    )
    pcm = np.arange(-32768, 32768, 7, dtype="<i2")
    back = np.frombuffer(audio.mulaw_decode(audio.mulaw_encode(pcm.tobytes())), "<i2")
    error = np.abs(back.astype(int) - pcm) / np.maximum(np.abs(pcm.astype(int)), 256)
    assert error.max() < 0.07


def test_resampling_in_chunks_keeps_length_and_tone() -> None:
    tone = (np.sin(np.arange(24_000) * 2 * np.pi * 440 / 24_000) * 10_000).astype("<i2").tobytes()
    resampler = audio.Resampler(24_000, 16_000)
    out = b"".join(resampler.push(tone[at : at + 960]) for at in range(0, len(tone), 960))
    out += resampler.push(b"", last=True)
    samples = np.frombuffer(out, "<i2")
    assert abs(len(samples) - 16_000) <= 2
    assert np.argmax(np.abs(np.fft.rfft(samples))) in range(438, 443)
    assert audio.Resampler(16_000, 16_000).push(b"ab") == b"ab"


def test_floats_are_clipped() -> None:
    assert (
        audio.from_float(np.array([-2.0, 0.0, 2.0]))
        == np.array([-32768, 0, 32767], "<i2").tobytes()
    )
    assert audio.to_float(b"\x00\x80")[0] == -1

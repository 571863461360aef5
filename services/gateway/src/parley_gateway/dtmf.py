"""The tones of a telephone's keys (ITU-T Q.23), as PCM16. Pure."""

from array import array
from math import pi, sin

TONE_MS, GAP_MS, WAIT_MS = 100, 60, 500
LOUDNESS = 0.25
"""Of full scale, for each of the two tones."""

_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_KEYS = ("123A", "456B", "789C", "*0#D")
_FREQUENCIES = {
    key: (low, high)
    for low, row in zip(_ROWS, _KEYS, strict=True)
    for high, key in zip(_COLUMNS, row, strict=True)
}


def tones(digits: str, sample_rate: int) -> bytes:
    """The keys' tones, one after the other; `w` waits half a second."""
    pcm = bytearray()
    for digit in digits.upper():
        if digit in _FREQUENCIES:
            pcm += _tone(*_FREQUENCIES[digit], sample_rate) + _silence(GAP_MS, sample_rate)
        else:
            pcm += _silence(WAIT_MS, sample_rate)
    return bytes(pcm)


def _tone(low: int, high: int, rate: int) -> bytes:
    peak = LOUDNESS * 32767
    steps = [2 * pi * at / rate for at in range(rate * TONE_MS // 1000)]
    return array("h", [int(peak * (sin(low * t) + sin(high * t))) for t in steps]).tobytes()


def _silence(ms: int, rate: int) -> bytes:
    return bytes(rate * ms // 1000 * 2)

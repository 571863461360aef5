"""The recorded person who calls in the demo: an actor who reads Dickens."""

from importlib.util import find_spec
from pathlib import Path

from parley_cli import wav
from parley_cli.errors import Failure
from parley_cli.wav import Samples

OPENER = (1.0, 5.0)
"""Seconds of the recording: "It was the best of times. It was the worst of times." """
BARGE_IN = (5.0, 6.4)
"""Seconds of the recording: "It was the age of wisdom." """


def read(part: tuple[float, float], sample_rate: int) -> Samples:
    """A part (seconds) of the recording, at `sample_rate` Hz. Raises Failure without it."""
    start, end = (int(seconds * sample_rate) for seconds in part)
    return wav.read(_path(), sample_rate)[start:end]


def _path() -> Path:
    # Found and not imported: the package would load its native library.
    package = find_spec("moonshine_voice")
    folder = Path(package.origin or "").parent if package else Path()
    path = folder / "assets" / "two_cities.wav"
    if not path.exists():
        raise Failure(
            "the demo's recording is not installed. Run: pip install 'parley-voice-stt[embedded]'"
        )
    return path

"""WebRTC's echo canceller, AEC3: takes a known signal's echo out of a microphone's."""

from pywebrtc_audio import AudioProcessor

from parley_gateway.echo.ear import Samples

FRAME_MS = 10


class Canceller:
    """One microphone's, at any of our sample rates. Not for several threads at once.

    It finds the echo's delay, up to about 500 ms, by itself. What it gives is 8 to 11 ms later
    than what it gets, and without what lies below the voice.
    """

    def __init__(self, rate: int) -> None:
        self._processor = AudioProcessor(sample_rate=rate, echo_cancellation=True)

    def cancel(self, microphone: Samples, ear: Samples) -> Samples:
        """The microphone's signal without the echo; whole frames of 10 ms, both equally long."""
        return self._processor.process(microphone, ear)

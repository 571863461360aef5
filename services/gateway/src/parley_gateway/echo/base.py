"""What a conversation tells whoever deals with the bot's echo, and what it asks of them."""


class Echo:
    """Policy `client`: the caller's side deals with it. The others begin from here.

    Times are seconds on any steady clock, the same for all; audio is PCM16 mono.
    """

    def played(self, at: float, pcm: bytes) -> None:
        """The ear hears this from `at` on, or else right after what it was given before."""

    def cleared(self, at: float) -> None:
        """From `at` on the ear hears nothing of what it was given."""

    def bot_heard(self) -> None:
        """The bot's first sound of a turn goes out."""

    def bot_silent(self) -> None:
        """The bot's last sound of a turn was heard, or it was silenced."""

    def heard(self, pcm: bytes, at: float) -> bytes:
        """What the caller said, of this audio that came at `at` and of what is held back."""
        return pcm

    def close(self) -> None:
        """Change nothing any more."""

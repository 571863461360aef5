"""Text from elsewhere as it may be shown on a terminal. Pure."""


def plain(text: str) -> str:
    """The text, but a replacement character for each that a terminal might obey."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)

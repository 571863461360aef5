"""Failures that a line of text explains; anything else is a bug and shows its traceback."""


class Failure(Exception):
    """Something went wrong that the user can understand. The text says what to do."""

    exit_code = 1


class Usage(Failure):
    """The command was called wrongly."""

    exit_code = 2

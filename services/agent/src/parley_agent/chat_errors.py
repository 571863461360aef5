"""Sorts what can go wrong with a chat completion into retry now, later or never.

The text of an SDK's error holds the server's answer, which may quote the key: none of it is
passed on. What is said is made of the status alone.
"""

import openai

from parley.messages import Retry
from parley.providers import ProviderError

_BY_STATUS = {
    400: ("did not understand the request (is the model's name right? the history too long?)"),
    401: ("refused the key"),
    403: ("refused the key: it may not use this model"),
    404: ("knows no such model or address"),
    422: ("did not understand the request"),
}


def sorted_error(error: openai.OpenAIError, who: str) -> ProviderError:
    """The SDK's error as ours; `who` says whose model it was, for people."""
    match error:
        case openai.APITimeoutError():
            return ProviderError(f"{who} did not answer in time", Retry.NOW)
        case openai.APIStatusError(status_code=429):
            return ProviderError(f"{who} is over its rate limit (429)", Retry.LATER)
        case openai.APIStatusError(status_code=status) if status in _BY_STATUS:
            return ProviderError(f"{who} {_BY_STATUS[status]} ({status})", Retry.NEVER)
        case openai.APIStatusError(status_code=status) if 400 <= status < 500 and status != 408:
            return ProviderError(f"{who} refused the request ({status})", Retry.NEVER)
        case openai.APIStatusError(status_code=status):
            return ProviderError(f"{who} failed ({status})", Retry.NOW)
        case openai.APIConnectionError():
            return ProviderError(f"{who} cannot be reached, or broke off", Retry.NOW)
        case _:
            return ProviderError(f"{who} failed in the middle of a reply", Retry.NOW)

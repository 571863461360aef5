"""Errors of the SDK, sorted."""

from datetime import UTC, datetime

import httpx2
import openai
import pytest

from parley.messages import Retry
from parley_agent.clouds.chat_errors import sorted_error

REQUEST = httpx2.Request("POST", "http://127.0.0.1/chat/completions")


def status_error(status: int) -> openai.APIStatusError:
    response = httpx2.Response(status, request=REQUEST)
    return openai.APIStatusError("Incorrect key sk-secret", response=response, body="sk-secret")


@pytest.mark.parametrize(
    ("status", "retry"),
    [
        (400, Retry.NEVER),
        (401, Retry.NEVER),
        (403, Retry.NEVER),
        (404, Retry.NEVER),
        (413, Retry.NEVER),
        (408, Retry.NOW),
        (429, Retry.LATER),
        (500, Retry.NOW),
        (529, Retry.NOW),
    ],
)
def test_the_status_says_whether_to_retry(status: int, retry: Retry) -> None:
    error = sorted_error(status_error(status), "the model")
    assert error.retry is retry
    assert str(status) in str(error) or status == 408
    assert "sk-secret" not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        openai.APITimeoutError(request=REQUEST),
        openai.APIConnectionError(request=REQUEST, message="sk-secret"),
        openai.APIError("sk-secret", request=REQUEST, body=None),
    ],
)
def test_what_has_no_status_may_be_tried_again_at_once(error: openai.OpenAIError) -> None:
    explained = sorted_error(error, "the model")
    assert explained.retry is Retry.NOW
    assert "sk-secret" not in str(explained)


def test_a_date_is_compared_to_the_present() -> None:
    headers = {"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"}
    response = httpx2.Response(429, request=REQUEST, headers=headers)
    error = openai.APIStatusError("", response=response, body=None)
    now = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
    assert sorted_error(error, "the model", now).retry_after == 30

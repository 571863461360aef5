"""What may be in a service's log."""

import logging

import pytest

from parley import logs

TALKATIVE = (
    "uvicorn.error",
    "websockets.client",
    "httpx",
    "openai._base_client",
    "anthropic._base_client",
    "google_genai.models",
    "botocore.endpoint",
    "mcp.client.streamable_http",
)
"""They would write URLs with tokens, ids of sessions, or what is said, some of it at `info`."""


@pytest.mark.parametrize("name", TALKATIVE)
def test_libraries_write_nothing_of_what_passes_through_them(name: str) -> None:
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    try:
        logs.quieten()
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
    finally:
        root.setLevel(before)

"""The engine in containers, once for all tests."""

import os
from collections.abc import Iterator

import pytest

from support.compose import Stack, unavailable


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """All of docker-compose.yml, healthy."""
    if reason := unavailable():
        pytest.skip(reason)
    stack = Stack(f"parley-test-{os.getpid()}")
    try:
        stack.up()
        yield stack
    finally:
        stack.down()

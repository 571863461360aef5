"""The whole engine, once for all end-to-end tests."""

from collections.abc import Iterator

import pytest

from support.engine import Engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine with one worker of each stage, and the profiles of support.engine."""
    with Engine(tmp_path_factory.mktemp("engine")) as running:
        yield running

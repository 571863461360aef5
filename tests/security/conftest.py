"""What is attacked."""

from collections.abc import Iterator

import pytest

from support.attacked import Attacked, attacked


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """Two gateways with keys."""
    with attacked(tmp_path_factory.mktemp("attacked")) as found:
        yield found

"""Services are found by entry points, so the command needs none of them to be installed."""

import os
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import cast

from parley_cli.errors import Failure

GROUP = "parley.services"
NAMES = ("gateway", "stt", "agent", "tts")


def installed() -> list[str]:
    """The names of the services that are installed here."""
    return sorted(point.name for point in entry_points(group=GROUP))


def require(names: tuple[str, ...] = NAMES) -> None:
    """Raise Failure unless all these services are installed."""
    missing = [name for name in names if name not in installed()]
    if missing:
        packages = " ".join(f"parley-voice-{name}" for name in missing)
        raise Failure(f"not installed: {', '.join(missing)}. Run: pip install {packages}")


def run(name: str, settings: Mapping[str, object | None]) -> int:
    """Run a service in this process. The exit code.

    `settings` go into the environment as PARLEY_<NAME>; None leaves what is there.
    """
    require((name,))
    os.environ.update(environment(settings))
    (point,) = entry_points(group=GROUP, name=name)
    try:
        main = cast(Callable[[], int], point.load())
    except ImportError as error:
        raise Failure(
            f"{name} needs a package that is not installed ({error}). "
            f"Run: pip install 'parley-voice-{name}[embedded]'"
        ) from error
    return main()


def environment(settings: Mapping[str, object | None]) -> dict[str, str]:
    """Settings as PARLEY_* variables; those that are None are left out."""
    return {
        f"PARLEY_{name.upper()}": str(value)
        for name, value in settings.items()
        if value is not None
    }

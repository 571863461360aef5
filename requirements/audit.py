"""Asks for known vulnerabilities in all that requirements/*.txt pin: `make audit`.

Exits with 1 where there is one, and with 2 where nobody could be asked: then nothing is known.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PINNED = ("all.txt", "models.txt", "dev.txt")
"""The other files are parts of the first."""
COMMAND = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--format", "json"]


def asked() -> list[dict[str, Any]]:
    """What pip-audit says of each package. Raises OSError or ValueError where it says nothing."""
    files = [argument for name in PINNED for argument in ("-r", str(FOLDER / name))]
    run = subprocess.run(  # noqa: S603 -- nothing of it comes from outside
        [*COMMAND, "--progress-spinner", "off", *files], capture_output=True, text=True, check=False
    )
    try:
        found: list[dict[str, Any]] = json.loads(run.stdout)["dependencies"]
    except ValueError:
        last = (run.stderr.strip().splitlines() or ["no answer"])[-1]
        raise ValueError(last) from None
    return found


def main() -> int:
    """Ask, and print what there is to know."""
    try:
        found = asked()
    except (OSError, ValueError) as error:
        return _unknown(str(error))
    known = [one for one in found if "vulns" in one]
    if not known:
        return _unknown("the index knows no advisories")
    print(f"{len(known)} packages asked for, of {len(found)}")  # noqa: T201
    bad = [(one, vulnerability) for one in known for vulnerability in one["vulns"]]
    for one, vulnerability in bad:
        mended = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        names = ", ".join([vulnerability["id"], *vulnerability.get("aliases", [])])
        print(f"{one['name']} {one['version']}: {names}; mended in {mended}")  # noqa: T201
    print(f"{len(bad)} known vulnerabilities")  # noqa: T201
    return 1 if bad else 0


def _unknown(reason: str) -> int:
    print(f"not audited, so nothing is known: {reason[:300]}")  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main())

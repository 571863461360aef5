"""`make conformance`: the suite for every provider, and the tables that are made of it."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.providers import sizes, tables

RESULTS = Path("benchmarks/results/providers.json")
PAGE = Path("docs/providers.md")


def main() -> int:
    """Run the suite and write what came out. The exit code: 1 if a case failed."""
    suite = ["-m", "pytest", "tests/conformance", f"--providers-json={RESULTS}"]
    failed = subprocess.run([sys.executable, *suite], check=False).returncode
    outcomes = json.loads(RESULTS.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    page = tables.between(page, "conformance", tables.conformance(outcomes))
    page = tables.between(page, "capabilities", tables.capabilities())
    page = tables.between(page, "costs", sizes.costs_table())
    PAGE.write_text(page, encoding="utf-8")
    counts = [outcome for cases in outcomes.values() for outcome in cases.values()]
    passed, bad = counts.count("pass"), counts.count("fail")
    print(
        f"{len(outcomes)} providers: {passed} passed, {bad} failed, "
        f"{len(counts) - passed - bad} not applicable -> {RESULTS}, {PAGE}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())

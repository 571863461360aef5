"""When an HTTP server that is too busy wants to be asked again."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds from `now` (with its time zone) until the server may be asked again.

    Reads `retry-after-ms`, and `retry-after` as seconds or as a date. None where neither says
    anything, or nothing that can be understood; 0 for a moment that has passed.
    """
    for header, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(header)
        if value is None:
            continue
        seconds = _number(value)
        if seconds is not None:
            return max(seconds * unit, 0.0)
    moment = _date(headers.get("retry-after", ""))
    return None if moment is None else max((moment - now).total_seconds(), 0.0)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

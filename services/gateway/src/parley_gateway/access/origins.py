"""Which web pages may call (pure). What sends no Origin is no browser, and shows its key."""

from collections.abc import Sequence
from urllib.parse import urlsplit

ANY = "*"


def allowed(origin: str | None, host: str, listed: Sequence[str] | None) -> bool:
    """Whether a page of `origin` may call a server that it knows as `host`.

    `listed` None: only the server's own pages. A server behind a proxy cannot know whether it
    was called by https, so of its own origin only the host and port are compared.
    """
    if origin is None:
        return True
    if listed is None:
        return bool(host) and _netloc(origin) == host.lower()
    return ANY in listed or origin.lower() in listed


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""

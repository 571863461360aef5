"""What all contract servers have in common: the key, the faults, and what they have seen."""

import secrets
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any, Self


class Fault(StrEnum):
    """How a server misbehaves on demand."""

    UNAUTHORIZED = "401"
    """The key is not known."""
    FORBIDDEN = "403"
    """The key may not do this."""
    BUSY = "429"
    """Too many requests; asks to come again in RETRY_AFTER seconds, where the protocol can."""
    BROKEN = "500"
    """An error inside."""
    SLOW = "slow"
    """Accepts the request, and then gives nothing at all."""
    RESET = "reset"
    """The connection is reset in the middle of the stream."""
    SILENT_STOP = "silent stop"
    """The stream ends in the middle, cleanly, without the protocol's finish signal."""
    MALFORMED = "malformed"
    """In the middle of the stream comes a message that is not of the protocol."""
    LATE_AUDIO = "late audio"
    """After the client has cancelled, audio (or text) of what it cancelled still comes."""


RETRY_AFTER = 7
"""Seconds that a busy server asks for."""


class ContractServer(ABC):
    """A provider's stand-in. Use it as `async with Server() as server`."""

    def __init__(self) -> None:
        self.key = f"contract-{secrets.token_hex(12)}"
        """The only key that the server accepts."""
        self.fault: Fault | None = None
        """How it treats each request, or stream, that begins from now on; None: well."""
        self.faults_left: int | None = None
        """So many more are treated so, then all is well; None: all."""
        self.requests = 0
        """Requests and connections that came in, refused ones included."""
        self.streams = 0
        """Streams, or requests, under way at this moment."""
        self.cancelled = 0
        """Streams that the client left, or told to stop, before their end."""
        self.violations: list[str] = []
        """What the client sent that the published protocol does not allow."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The profile's settings (camelCase) that point the provider at this server."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The environment in which the provider finds its key."""

    @abstractmethod
    async def start(self) -> None:
        """Listen on a free port of loopback."""

    @abstractmethod
    async def stop(self) -> None:
        """Close all connections and listen no more."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def next_fault(self) -> Fault | None:
        """How the request that begins now is to be treated."""
        if self.fault is None or self.faults_left == 0:
            return None
        if self.faults_left is not None:
            self.faults_left -= 1
        return self.fault

"""The frames of Azure's Universal Speech Protocol: headers, an empty line, and a body.

A text frame is `Name:Value CRLF ... CRLF CRLF body`; a binary one is the length of its headers
(16 bits, big-endian), the headers, and the body.
"""

from dataclasses import dataclass, field

from websockets.typing import Subprotocol

CRLF = "\r\n"
SUBPROTOCOL = Subprotocol("USP")


class NotUsp(Exception):
    """What came is no frame of the protocol."""


@dataclass(frozen=True)
class Frame:
    """One message. The names of headers are in lower case."""

    path: str
    body: str | bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def request_id(self) -> str:
        """The turn that it belongs to."""
        return self.headers.get("x-requestid", "")


def parse(message: str | bytes) -> Frame:
    """The frame that a websocket message holds. Raises NotUsp."""
    if isinstance(message, str):
        head, gap, body = message.partition(CRLF + CRLF)
        if not gap:
            raise NotUsp("a text frame without an empty line after its headers")
        return _frame(head, body)
    if len(message) < 2 or len(message) < (begin := 2 + int.from_bytes(message[:2], "big")):
        raise NotUsp("a binary frame that is shorter than its headers")
    return _frame(message[2:begin].decode("ascii", "replace"), message[begin:])


def _frame(head: str, body: str | bytes) -> Frame:
    headers = {}
    for line in head.split(CRLF):
        name, colon, value = line.partition(":")
        if line and not colon:
            raise NotUsp("a header without a colon")
        headers[name.strip().lower()] = value.strip()
    if "path" not in headers:
        raise NotUsp("a frame without a Path")
    return Frame(headers["path"], body, headers)


def text(path: str, request_id: str, body: str, content_type: str = "application/json") -> str:
    """A text frame."""
    headers = {"X-RequestId": request_id, "Content-Type": content_type, "Path": path}
    return _head(headers) + CRLF + body


def binary(path: str, request_id: str, stream_id: str, body: bytes) -> bytes:
    """A binary frame of an audio stream."""
    head = _head({"X-RequestId": request_id, "X-StreamId": stream_id, "Path": path}).encode()
    return len(head).to_bytes(2, "big") + head + body


def _head(headers: dict[str, str]) -> str:
    return "".join(f"{name}:{value}{CRLF}" for name, value in headers.items())

"""Tokens that have begun their one call: remembered until they have run out, by all gateways."""

import contextlib
import time

import nats.js.errors
from nats.js.api import StorageType, StreamConfig
from nats.js.kv import KeyValue

from parley_gateway import protocol
from parley_gateway.access.tokens import LEEWAY_SECONDS, MAX_SECONDS, Claims
from parley_gateway.jetstream import ERRORS, JetStream, answered

BUCKET = "parley_tokens"
TIDY_SECONDS = 60.0


def bucket_config(replicas: int) -> StreamConfig:
    """The bucket as a stream."""
    return StreamConfig(
        name=f"KV_{BUCKET}",
        subjects=[f"$KV.{BUCKET}.>"],
        storage=StorageType.FILE,
        num_replicas=replicas,
        max_msgs_per_subject=1,
        max_age=MAX_SECONDS + 2 * LEEWAY_SECONDS,
        duplicate_window=120.0,
        allow_rollup_hdrs=True,
        deny_delete=True,
        allow_direct=False,
    )


class SpentTokens:
    """Of one gateway, and through JetStream of all of them.

    Without JetStream each gateway knows its own only. Where JetStream has been there and is away,
    no token is taken: it may have been used elsewhere.
    """

    def __init__(self, jetstream: JetStream) -> None:
        self._jetstream = jetstream
        self._bucket = KeyValue(
            BUCKET, f"KV_{BUCKET}", f"$KV.{BUCKET}.", jetstream.context, direct=False
        )
        self._own: dict[str, float] = {}
        self._tidy_at = 0.0

    async def spend(self, claims: Claims) -> None:
        """Use a token, for the first time. Raises ProtocolError: token_used or no_capacity."""
        now = time.time()
        self._tidy(now)
        if claims.id in self._own:
            raise protocol.token_used()
        # Noted before the first wait: whoever shows it meanwhile is the second.
        self._own[claims.id] = claims.expires_at + LEEWAY_SECONDS
        if not self._jetstream.available:
            return
        try:
            if not self._jetstream.ready:
                raise TimeoutError
            await answered(self._bucket.create(claims.id, claims.key.encode()))
        except nats.js.errors.KeyWrongLastSequenceError:
            raise protocol.token_used() from None
        except ERRORS as error:
            self._jetstream.report(error)
            self._own.pop(claims.id, None)
            raise protocol.no_capacity("whether the token was used cannot be told now") from None

    async def give_back(self, claims: Claims) -> None:
        """Its call was not to be had: the token may begin another."""
        self._own.pop(claims.id, None)
        if self._jetstream.ready:
            with contextlib.suppress(*ERRORS):
                await answered(self._bucket.delete(claims.id))

    def _tidy(self, now: float) -> None:
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_SECONDS
            self._own = {one: until for one, until in self._own.items() if until > now}

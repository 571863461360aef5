"""What Deepgram makes of audio, in its own messages: v1 (Nova) and v2 (Flux)."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from contract.servers.ear import Ear, Result, Started, Word
from parley.audio import HEARING_RATE, bytes_for, duration_ms

REQUEST_ID = "00000000-0000-4000-8000-000000000001"
MODEL = {"name": "contract", "version": "1", "arch": "moonshine"}
WINDOW_BYTES = bytes_for(32, HEARING_RATE)
LEAST_MS = 100.0
"""v1: Finalize is not answered where less is left to flush."""
INTERIM_MS = 1_000.0
"""v1: in silence, so much audio between two empty results ..."""
FINAL_MS = 4_000.0
"""... and so much between two empty finals."""
UPDATE_MS = 240.0
"""v2: audio between two Updates."""
TURN_END_MS = 700.0
"""v2: silence after a sentence that ends the turn. It probably ends with the sentence."""

Send = Callable[[dict[str, Any]], None]


class Listening(ABC):
    """One stream's hearing. `send` takes its messages."""

    def __init__(self, query: dict[str, Any], send: Send, endpointing_ms: float) -> None:
        self.query = query
        self.send = send
        self.heard_ms = 0.0
        self.has_ended = False
        self.ear = Ear(self._on_event, endpointing_ms)
        self._rest = b""

    async def begin(self) -> None:
        """The connection is there."""

    async def hear(self, pcm: bytes) -> None:
        """Hear this, window by window, so that all results have their right times."""
        self._rest += pcm
        while len(self._rest) >= WINDOW_BYTES:
            window, self._rest = self._rest[:WINDOW_BYTES], self._rest[WINDOW_BYTES:]
            self.heard_ms += duration_ms(len(window), HEARING_RATE)
            await self.ear.push(window)
            self.window()
            # Results go out while there is more to hear.
            await asyncio.sleep(0)

    def window(self) -> None:
        """A window has been heard."""

    @abstractmethod
    async def obey(self, kind: str) -> None:
        """Do what a text message asks for."""

    @abstractmethod
    async def close(self) -> None:
        """Tell the rest."""

    @abstractmethod
    def started(self, event: Started) -> None:
        """Voice has set in."""

    @abstractmethod
    def result(self, result: Result) -> None:
        """Something was recognised."""

    def _on_event(self, event: Started | Result) -> None:
        if isinstance(event, Started):
            self.started(event)
        else:
            self.result(event)


class NovaListening(Listening):
    """v1: results that tile the time."""

    def __init__(self, query: dict[str, Any], send: Send) -> None:
        super().__init__(query, send, float(query.get("endpointing", 10)))
        self._told_ms = 0.0
        self._final_ms = 0.0
        self._is_in_speech = False

    def window(self) -> None:
        if self._is_in_speech:
            return
        if self.heard_ms - self._final_ms >= FINAL_MS:
            self._send_results("", [], is_final=True)
        elif self.heard_ms - self._told_ms >= INTERIM_MS:
            self._send_results("", [])

    async def obey(self, kind: str) -> None:
        if kind == "Finalize":
            await self._flush()
        elif kind == "CloseStream":
            await self.close()

    async def close(self) -> None:
        await self._flush()
        self.send(
            {
                "type": "Metadata",
                "transaction_key": "deprecated",
                "request_id": REQUEST_ID,
                "sha256": "0" * 64,
                "created": "2026-01-01T00:00:00.000Z",
                "duration": self.heard_ms / 1000,
                "channels": 1,
            }
        )
        self.has_ended = True

    async def _flush(self) -> None:
        if self.heard_ms - self._final_ms < LEAST_MS:
            return
        result = await self.ear.finalize()
        self._is_in_speech = False
        self._send_results(result.text, result.words, is_final=True, from_finalize=True)

    def started(self, event: Started) -> None:
        self._is_in_speech = True
        if self.query.get("vad_events") == "true":
            self.send({"type": "SpeechStarted", "channel": [0, 1], "timestamp": event.at_ms / 1000})

    def result(self, result: Result) -> None:
        if result.is_final:
            self._is_in_speech = False
            self._send_results(result.text, result.words, is_final=True, speech_final=True)
        elif self.query.get("interim_results") == "true":
            self._send_results(result.text, result.words)

    def _send_results(
        self,
        text: str,
        words: list[Word],
        *,
        is_final: bool = False,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> None:
        start = self._final_ms
        self._told_ms = self.heard_ms
        if is_final:
            self._final_ms = self.heard_ms
        alternative = {
            "transcript": text,
            "confidence": 0.9 if text else 0.0,
            "words": [_nova_word(word) for word in words],
        }
        self.send(
            {
                "type": "Results",
                "channel_index": [0, 1],
                "start": start / 1000,
                "duration": (self.heard_ms - start) / 1000,
                "is_final": is_final,
                "speech_final": speech_final,
                "from_finalize": from_finalize,
                "channel": {"alternatives": [alternative]},
                "metadata": {
                    "request_id": REQUEST_ID,
                    "model_info": MODEL,
                    "model_uuid": REQUEST_ID,
                },
            }
        )


def _nova_word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text.lower().strip(".,?!"),
        "punctuated_word": word.text,
        "start": word.start_ms / 1000,
        "end": word.end_ms / 1000,
        "confidence": word.confidence,
    }


class FluxListening(Listening):
    """v2: turns, each of one or more sentences that silence ends."""

    def __init__(self, query: dict[str, Any], send: Send) -> None:
        super().__init__(query, send, 300)
        self._sequence = 0
        self._index = 0
        self._from_ms = 0.0
        self._told_ms = 0.0
        self._sentences: list[Word] = []
        self._now: list[Word] = []
        self._is_open = False
        self._is_eager = False
        self._ended_ms: float | None = None

    async def begin(self) -> None:
        self._number({"type": "Connected", "request_id": REQUEST_ID})

    def window(self) -> None:
        silent_ms = 0.0 if self._ended_ms is None else self.heard_ms - self._ended_ms
        if self._is_open and silent_ms >= TURN_END_MS:
            self._end_turn("model")
        elif self.heard_ms - self._told_ms >= UPDATE_MS:
            self._tell("Update")

    async def obey(self, kind: str) -> None:
        if kind == "CloseStream":
            await self.close()
        elif kind == "ForceEndTurn" and self._is_open:
            result = await self.ear.finalize()
            self._sentences += result.words
            self._now = []
            self._end_turn("manual")

    async def close(self) -> None:
        self.has_ended = True

    def started(self, event: Started) -> None:
        self._ended_ms = None

    def result(self, result: Result) -> None:
        if self._is_eager:
            self._is_eager = False
            self._tell("TurnResumed")
        if result.is_final:
            self._sentences += result.words
            self._now = []
        else:
            self._now = result.words
        if not self._words:
            return
        if not self._is_open:
            self._is_open = True
            self._tell("StartOfTurn")
        if result.is_final:
            self._ended_ms = self.heard_ms
            if "eager_eot_threshold" in self.query:
                self._is_eager = True
                self._tell("EagerEndOfTurn")
        else:
            self._tell("Update")

    @property
    def _words(self) -> list[Word]:
        return [*self._sentences, *self._now]

    def _end_turn(self, trigger: str) -> None:
        self._tell("EndOfTurn", trigger)
        self._index += 1
        self._from_ms = self.heard_ms
        self._sentences, self._now = [], []
        self._is_open = self._is_eager = False
        self._ended_ms = None

    def _tell(self, event: str, trigger: str | None = None) -> None:
        self._told_ms = self.heard_ms
        words = self._words
        info: dict[str, Any] = {
            "type": "TurnInfo",
            "request_id": REQUEST_ID,
            "event": event,
            "turn_index": self._index,
            "audio_window_start": self._from_ms / 1000,
            "audio_window_end": self.heard_ms / 1000,
            "transcript": " ".join(word.text for word in words),
            "words": [
                {
                    "word": word.text,
                    "confidence": word.confidence,
                    "start": word.start_ms / 1000,
                    "end": word.end_ms / 1000,
                }
                for word in words
            ],
            "end_of_turn_confidence": 0.9 if event == "EndOfTurn" else 0.2,
        }
        self._number(info if trigger is None else {**info, "trigger": trigger})

    def _number(self, message: dict[str, Any]) -> None:
        self.send({**message, "sequence_id": self._sequence})
        self._sequence += 1

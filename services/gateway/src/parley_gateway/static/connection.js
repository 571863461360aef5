/** One WebSocket of a call: see docs/protocol.md. */

const PING_MS = 5_000;
const LOST_MS = 15_000; // so long without a word from the server, and it is gone
const NOT_HEARD = 4000; // we close with this, as none of the codes of a hang-up
/** Closes by somebody on the way. */
const LOST_CODES = [1001, 1006, 1011, 1012];
/** Why a server closes the connection of a call that can go on over another one. */
export const NOT_THE_END = [
  "draining", "internal_error", "no_capacity", "client_too_slow", "client_gone", "too_many_calls",
];

export class Connection {
  /** Told each JSON message. */
  onEvent = (_event) => {};
  /** Given each frame of the bot's audio, an ArrayBuffer. */
  onAudio = (_frame) => {};
  /** It is closed. `lost`: though the call need not be over; `retryMs`: what to wait before. */
  onClose = (_lost, _retryMs) => {};

  /** The server has to say something within `answerMs`. */
  constructor(url, answerMs = LOST_MS) {
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.#receive(data);
    this.socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.cause = ""; // the server's code for why it will close
    this.retryMs = 0;
    this.heardAt = performance.now();
    this.answer = setTimeout(() => this.#giveUp(), answerMs);
    this.timer = setInterval(() => this.#watch(), PING_MS);
  }

  /** Send a JSON message; its type and fields. */
  send(type, fields = {}) {
    this.#write(JSON.stringify({ type, ...fields }));
  }

  /** Send a piece of the caller's audio. */
  sendAudio(piece) {
    this.#write(piece);
  }

  /** Hang up. */
  end() {
    this.send("end");
    this.cause = "hang_up";
    this.socket.close();
    this.#closed(1000, "");
  }

  #write(data) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(data);
  }

  #receive(data) {
    this.heardAt = performance.now();
    clearTimeout(this.answer);
    if (typeof data !== "string") return this.onAudio(data);
    const event = JSON.parse(data);
    if (event.type === "end") this.cause ||= event.reason;
    if (event.type === "error" && event.fatal) {
      this.cause = event.code;
      this.retryMs = event.retry_after_ms ?? 0;
    }
    this.onEvent(event);
  }

  #watch() {
    if (performance.now() - this.heardAt > LOST_MS) this.#giveUp();
    else this.send("ping");
  }

  #giveUp() {
    this.socket.close(NOT_HEARD);
    this.#closed(1006, "");
  }

  #closed(code, reason) {
    clearTimeout(this.answer);
    clearInterval(this.timer);
    this.socket.onmessage = this.socket.onclose = null;
    const cause = this.cause || (code >= 4000 ? reason : "");
    this.onClose(cause ? NOT_THE_END.includes(cause) : LOST_CODES.includes(code), this.retryMs);
  }
}

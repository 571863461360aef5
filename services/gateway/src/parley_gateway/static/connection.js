/** One call's WebSocket: see docs/protocol.md. */

const PING_MS = 5_000;
const LOST_MS = 15_000; // so long without a word from the server, and it is gone

export class Connection {
  /** Told each JSON message. */
  onEvent = (_event) => {};
  /** Given each frame of the bot's audio, an ArrayBuffer. */
  onAudio = (_frame) => {};
  /** The call is over: "refused" (it never began), "ended", or "lost". */
  onClose = (_how) => {};

  constructor(url) {
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => this.#receive(data);
    this.socket.onclose = () => this.#closed(this.ended ? "ended" : this.opened ? "lost" : "refused");
    this.opened = false;
    this.ended = false;
    this.heardAt = performance.now();
    this.timer = setInterval(() => this.#watch(), PING_MS);
  }

  /** Send a JSON message; its type and fields. */
  send(type, fields = {}) {
    this.#write(JSON.stringify({ type, ...fields }));
  }

  /** Send a frame of the caller's audio. */
  sendAudio(frame) {
    this.#write(frame);
  }

  /** Hang up. */
  end() {
    this.send("end");
    this.#closed("ended");
  }

  #write(data) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(data);
  }

  #receive(data) {
    this.heardAt = performance.now();
    if (typeof data !== "string") return this.onAudio(data);
    const event = JSON.parse(data);
    this.opened = true;
    this.ended ||= event.type === "end" || (event.type === "error" && event.fatal);
    this.onEvent(event);
  }

  #watch() {
    if (performance.now() - this.heardAt > LOST_MS) this.#closed(this.opened ? "lost" : "refused");
    else this.send("ping");
  }

  #closed(how) {
    clearInterval(this.timer);
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.onClose(how);
  }
}

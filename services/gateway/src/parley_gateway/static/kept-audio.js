/**
 * The caller's audio on its way to the server. Positions count samples since the call began; the
 * last seconds are kept, so that another connection can go on where the server's knowledge ends.
 */

const KEPT_SECONDS = 20;
const OFFERED_SECONDS = 9; // more comes while the server answers, and 10 may be sent at once
const AHEAD_SECONDS = 9.8; // of real time, at most
const PIECE_SECONDS = 0.02;

export class KeptAudio {
  constructor(rate) {
    this.rate = rate;
    this.ring = new Int16Array(KEPT_SECONDS * rate);
    this.captured = 0;
    this.goOn(0);
  }

  /** An Int16Array from the microphone. */
  add(frame) {
    const at = this.captured % this.ring.length;
    const fits = Math.min(frame.length, this.ring.length - at);
    this.ring.set(frame.subarray(0, fits), at);
    this.ring.set(frame.subarray(fits), 0);
    this.captured += frame.length;
  }

  /** The position (ms) from which on another connection may have the audio. */
  get offerMs() {
    return (Math.max(0, this.captured - OFFERED_SECONDS * this.rate) * 1000) / this.rate;
  }

  /** What is sent next, on a connection that begins now, lies at `fromMs`. */
  goOn(fromMs) {
    this.from = this.at = Math.round((fromMs * this.rate) / 1000);
    this.since = performance.now();
  }

  /** The next piece that may be sent, valid until `add`; null when there is none. */
  next() {
    const start = this.at % this.ring.length;
    const seconds = (performance.now() - this.since) / 1000 + AHEAD_SECONDS;
    const end = Math.min(
      this.captured,
      this.from + Math.floor(seconds * this.rate),
      this.at + Math.round(PIECE_SECONDS * this.rate),
      this.at + this.ring.length - start,
    );
    if (end <= this.at) return null;
    const piece = this.ring.subarray(start, start + end - this.at);
    this.at = end;
    return piece;
  }
}

/**
 * The bot's audio between its arrival and the loudspeaker: a ring buffer that waits for a
 * little reserve before it plays, can be emptied at once, and counts what was played of the
 * current turn. Positions count samples since the beginning. Allocates nothing in `pull`.
 */

const CAPACITY = 1 << 18; // samples, a power of two: 5 s at 48 kHz
const RESERVE_SECONDS = 0.06;
const FADE_SECONDS = 0.004;

export class PlayQueue {
  constructor(rate) {
    this.rate = rate;
    this.ring = new Float32Array(CAPACITY);
    this.written = 0;
    this.read = 0;
    this.reserve = Math.round(RESERVE_SECONDS * rate);
    this.waited = 0; // samples of silence since audio came; it plays on after `reserve` of them
    this.playing = false;
    this.fade = Math.round(FADE_SECONDS * rate);
    this.fading = 0; // samples until the fade is over
    this.dropTo = 0; // what lies before is not played, once the fade is over
    this.turn = null;
    this.turnStart = 0;
    this.played = 0;
    this.kept = 0; // what lies before belongs to turns that are over
    this.end = Infinity; // what lies from here on is held
  }

  /** Audio that comes from now on belongs to `turn`; the first of it lies at `ms` of the turn's. */
  begin(turn, ms = 0) {
    this.turn = turn;
    this.turnStart = this.kept = this.written;
    this.played = Math.round((ms * this.rate) / 1000);
  }

  /** The turn is over: nobody sends the rest of it again. */
  finish() {
    this.kept = this.written;
  }

  /** Play this after what is there. A client that has five seconds waiting drops the rest. */
  push(sample) {
    if (this.written - this.read < CAPACITY) {
      this.ring[this.written++ & (CAPACITY - 1)] = sample;
    }
  }

  /** Fall silent: what is here now fades out in a few ms, the rest of it is dropped. */
  clear() {
    this.end = Infinity;
    const underWay = this.read < this.dropTo;
    this.dropTo = this.written;
    if (!this.playing) this.read = this.dropTo;
    else if (!underWay) this.fading = this.fade;
  }

  /**
   * Stop the current turn here, until `release` or `restart`. How much (ms) of it is played: of
   * turns that are over, what is here plays on.
   */
  hold() {
    this.end = Math.max(this.read, this.kept);
    const coming = this.end - Math.max(this.read, this.turnStart);
    return ((this.played + Math.max(0, coming)) * 1000) / this.rate;
  }

  /** Play on what was held. */
  release() {
    this.end = Infinity;
  }

  /** Forget what was held: it comes again, counted anew. */
  restart() {
    this.written = Math.min(this.written, this.end);
    this.dropTo = Math.min(this.dropTo, this.written);
    this.end = Infinity;
    if (this.kept <= this.turnStart) this.begin(this.turn);
  }

  /** How much (ms) of the current turn was played. */
  get playedMs() {
    return (this.played * 1000) / this.rate;
  }

  /** Fill `out` with what is to be heard next; silence where there is nothing. */
  pull(out) {
    for (let i = 0; i < out.length; i++) {
      out[i] = this.next();
    }
  }

  next() {
    const end = Math.min(this.written, this.end);
    if (this.read >= end) {
      this.playing = false;
      this.waited = 0;
      return 0;
    }
    if (!this.playing) {
      this.waited++;
      if (end - this.read < this.reserve && this.waited < this.reserve) return 0;
      this.playing = true;
    }
    if (this.read >= this.turnStart) this.played++;
    const sample = this.ring[this.read++ & (CAPACITY - 1)];
    return this.read <= this.dropTo ? this.faded(sample) : sample;
  }

  faded(sample) {
    const gain = --this.fading / this.fade;
    if (this.fading === 0 || this.read === this.dropTo) {
      this.read = this.dropTo;
      this.playing = false;
      this.waited = 0;
    }
    return sample * gain;
  }
}

/** The two ends of a call on the audio thread: `capture` and `player`. */

import { PlayQueue } from "./play-queue.js";
import { Resampler } from "./resampler.js";

const FRAME_SECONDS = 0.02;
const SPARE_FRAMES = 16;

/**
 * The microphone as frames of PCM16 at the call's rate. Each frame is handed over to the page,
 * which hands it back when it has sent it: none are made while the call goes on.
 */
class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate } }) {
    super();
    this.resampler = new Resampler(sampleRate, rate);
    this.size = Math.round(rate * FRAME_SECONDS);
    this.spare = Array.from({ length: SPARE_FRAMES }, () => new Int16Array(this.size));
    this.transfer = [null];
    this.frame = this.spare.pop();
    this.filled = 0;
    this.port.onmessage = ({ data }) => this.spare.push(data);
  }

  process([[samples]]) {
    if (samples) {
      for (let i = 0; i < samples.length; i++) {
        this.resampler.put(samples[i]);
        while (this.resampler.ready) this.add(this.resampler.take());
      }
    }
    return true;
  }

  add(sample) {
    this.frame[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
    if (this.filled < this.size) return;
    this.transfer[0] = this.frame.buffer;
    this.port.postMessage(this.frame, this.transfer);
    // Without a spare one the page is stuck; its microphone must not be cut all the same.
    this.frame = this.spare.pop() ?? new Int16Array(this.size);
    this.filled = 0;
  }
}

/**
 * Plays PCM16 at the call's rate. Takes frames (ArrayBuffer), {begin: turn, ms}, and the names
 * of the methods below. "hold" and "report" are answered.
 */
class Player extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate } }) {
    super();
    this.resampler = new Resampler(rate, sampleRate);
    this.queue = new PlayQueue(sampleRate);
    this.port.onmessage = ({ data }) => this.obey(data);
  }

  obey(message) {
    if (message instanceof ArrayBuffer) this.push(new Int16Array(message));
    else if (typeof message === "string") this[message]();
    else this.queue.begin(message.begin, message.ms);
  }

  clear() {
    this.queue.clear();
    this.resampler.reset();
    this.report();
  }

  report() {
    this.port.postMessage({ turn: this.queue.turn, ms: this.queue.playedMs });
  }

  finish() {
    this.queue.finish();
  }

  hold() {
    this.port.postMessage({ held: { turn: this.queue.turn, ms: this.queue.hold() } });
  }

  release() {
    this.queue.release();
  }

  restart() {
    this.queue.restart();
    this.resampler.reset();
  }

  push(samples) {
    for (let i = 0; i < samples.length; i++) {
      this.resampler.put(samples[i] / 32768);
      while (this.resampler.ready) this.queue.push(this.resampler.take());
    }
  }

  process(_, [[out]]) {
    this.queue.pull(out);
    return true;
  }
}

registerProcessor("capture", Capture);
registerProcessor("player", Player);

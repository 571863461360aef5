/**
 * A call's line: one connection after another, so that the talk goes on when one is lost. What
 * the caller says meanwhile is sent afterwards; what the bot had still to say comes again.
 */

import { Connection, NOT_THE_END } from "./connection.js";
import { KeptAudio } from "./kept-audio.js";

const RESUME_SECONDS = 60; // the server forgets a call that is away for longer; it may say how long
const ANSWER_MS = 8_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

export class Line {
  /** Told each JSON message. */
  onEvent = (_event) => {};
  /** Given each frame of the bot's audio, an ArrayBuffer. */
  onAudio = (_frame) => {};
  /** The connection is lost, and another one is looked for. */
  onLost = () => {};
  /** The talk goes on. */
  onBack = () => {};
  /** The call is over: "refused" (it never began), "ended", or "lost". */
  onClose = (_how) => {};

  /** Call `url`. `sound`, if any, plays what comes and is asked how far it is. */
  constructor(url, rate, sound) {
    this.url = url;
    this.sound = sound;
    this.kept = new KeptAudio(rate);
    this.begun = false;
    this.ready = false; // the server listens
    this.over = false;
    this.token = null;
    this.lostAt = null;
    this.waiting = []; // what is to be sent once the server listens again
    this.#open(url);
  }

  /** Send a JSON message; its type and fields. */
  send(type, fields = {}) {
    if (this.ready) this.connection.send(type, fields);
    else if (type !== "playback") this.waiting.push([type, fields]);
  }

  /** The microphone has heard this Int16Array. */
  hear(frame) {
    if (!this.begun) return;
    this.kept.add(frame);
    this.#sendAudio();
  }

  /** Hang up. */
  end() {
    this.#finish("ended");
    this.connection.end();
  }

  #sendAudio() {
    if (!this.ready) return;
    for (let piece; (piece = this.kept.next()); ) this.connection.sendAudio(piece);
  }

  #open(url, answerMs) {
    const connection = (this.connection = new Connection(url, answerMs));
    connection.onEvent = (event) => this.#receive(event);
    connection.onAudio = (frame) => this.onAudio(frame);
    connection.onClose = (lost, retryMs) => this.#closed(lost, retryMs);
  }

  #receive(event) {
    const resuming = this.lostAt !== null;
    if (event.type === "ready") {
      if (resuming && !event.resumed) return this.#strange();
      this.#begin(event, resuming);
    } else if (event.fatal && this.token && NOT_THE_END.includes(event.code)) {
      return;
    }
    this.onEvent(event);
  }

  #begin(ready, resuming) {
    this.begun = this.ready = true;
    this.token = ready.resume_token ?? null;
    this.resumeMs = (ready.resume_seconds ?? RESUME_SECONDS) * 1000;
    this.lostAt = null;
    this.kept.goOn(ready.audio_from_ms ?? 0);
    if (resuming) {
      this.sound?.restart();
      this.onBack();
    }
    for (const [type, fields] of this.waiting.splice(0)) this.send(type, fields);
    this.#sendAudio();
  }

  #closed(lost, retryMs) {
    if (this.over) return;
    const wasReady = this.ready;
    this.ready = false;
    if (!lost || !this.token) {
      return this.#finish(!this.begun ? "refused" : lost ? "lost" : "ended");
    }
    if (wasReady) {
      this.lostAt = performance.now();
      this.pause = FIRST_PAUSE_MS;
      this.onLost();
      return this.#retryIn(retryMs);
    }
    this.sound?.release();
    const pause = this.pause * (0.5 + Math.random() / 2);
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
    this.#retryIn(Math.max(pause, retryMs));
  }

  #retryIn(ms) {
    if (performance.now() + ms - this.lostAt > this.resumeMs) this.#finish("lost");
    else this.retry = setTimeout(() => this.#resume(), ms);
  }

  /** What is asked for is true when it arrives: the bot stops where it is said to be. */
  async #resume() {
    const heard = await this.sound?.hold();
    if (this.over) return;
    const url = new URL(this.url);
    const query = { resume: this.token, audio_ms: this.kept.offerMs };
    if (heard?.turn != null) Object.assign(query, { heard_turn: heard.turn, heard_ms: heard.ms });
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    this.#open(url, ANSWER_MS);
  }

  /** The server has begun a new call: it knows nothing of this one. */
  #strange() {
    this.#finish("lost");
    this.connection.end();
  }

  #finish(how) {
    if (this.over) return;
    this.over = true;
    this.ready = false;
    clearTimeout(this.retry);
    this.onClose(how);
  }
}

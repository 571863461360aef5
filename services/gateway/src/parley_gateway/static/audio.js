/** A call's microphone and loudspeaker. */

/** Sound for one call; must be opened from a click. Null where the browser gives none. */
export async function openSound(rate) {
  if (!window.isSecureContext || !window.AudioWorkletNode) return null;
  const context = new AudioContext({ latencyHint: "interactive" });
  try {
    await context.audioWorklet.addModule(new URL("audio-worklets.js", import.meta.url));
    await context.resume();
    return new Sound(context, rate);
  } catch (error) {
    await context.close();
    throw error;
  }
}

class Sound {
  /** Told how much (ms) of a turn the caller has heard. */
  onPlayed = (_turn, _ms) => {};
  /** Given each frame of the microphone, an Int16Array that is only valid during the call. */
  onFrame = (_frame) => {};
  /** The microphone went away. */
  onMicrophoneLost = () => {};
  #onHeld = (_heard) => {};

  constructor(context, rate) {
    this.context = context;
    this.rate = rate;
    this.stream = null;
    this.closed = false;
    this.player = this.#node("player", { numberOfInputs: 0, outputChannelCount: [1] });
    this.player.port.onmessage = ({ data }) => {
      if (data.held) this.#onHeld(data.held);
      else if (data.turn !== null) this.onPlayed(data.turn, Math.max(0, data.ms - this.#latencyMs));
    };
  }

  /** Begin to listen. Throws what getUserMedia throws. */
  async openMicrophone(constraints) {
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: constraints });
    if (this.closed) return this.#stopMicrophone();
    this.stream.getAudioTracks()[0].onended = () => this.onMicrophoneLost();
    const capture = this.#node("capture", { channelCount: 1, channelCountMode: "explicit" });
    capture.port.onmessage = ({ data }) => {
      this.onFrame(data);
      capture.port.postMessage(data, [data.buffer]);
    };
    this.context.createMediaStreamSource(this.stream).connect(capture);
  }

  /** Play a frame (ArrayBuffer) after those before it. */
  play(frame) {
    this.player.port.postMessage(frame, [frame]);
  }

  /** What comes next belongs to this turn, and begins at `ms` of its audio. */
  begin(turn, ms = 0) {
    this.player.port.postMessage({ begin: turn, ms });
  }

  /** The turn is over: what is here of it plays on, whatever comes. */
  finish() {
    this.player.port.postMessage("finish");
  }

  /**
   * Stop the turn under way here, until `release` or `restart`. Promises how far it came, as
   * {turn, ms}; what is on its way to the loudspeaker is heard yet, so it counts.
   */
  hold() {
    return new Promise((resolve) => {
      this.#onHeld = resolve;
      this.player.port.postMessage("hold");
    });
  }

  /** Play on what was held. */
  release() {
    this.player.port.postMessage("release");
  }

  /** Forget what was held: it comes again. */
  restart() {
    this.player.port.postMessage("restart");
  }

  /** Be silent at once; `onPlayed` says how far it came. */
  clear() {
    this.player.port.postMessage("clear");
  }

  /** Have `onPlayed` called. */
  report() {
    this.player.port.postMessage("report");
  }

  /** Let go of the microphone and the loudspeaker. */
  close() {
    if (this.closed) return;
    this.closed = true;
    this.#stopMicrophone();
    this.player.disconnect();
    this.context.close();
  }

  get #latencyMs() {
    return (this.context.outputLatency || this.context.baseLatency || 0) * 1000;
  }

  /** A node on the way to the loudspeaker: what leads nowhere need not run. */
  #node(name, options) {
    const processorOptions = { rate: this.rate };
    const node = new AudioWorkletNode(this.context, name, { ...options, processorOptions });
    node.connect(this.context.destination);
    return node;
  }

  #stopMicrophone() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
  }
}

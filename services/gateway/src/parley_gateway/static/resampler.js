/**
 * Brings a stream of samples from one rate to another by windowed-sinc interpolation.
 * After construction nothing is allocated: it runs on the audio thread.
 */

const LOBES = 16; // zero crossings of the sinc on each side
const STEPS = 256; // table entries per input sample, linear in between
const PASSBAND = 0.95; // of the lower of the two rates' bandwidths
const PAST = 1024; // input samples kept; a power of two

export class Resampler {
  constructor(from, to) {
    const cutoff = PASSBAND * Math.min(1, to / from);
    this.step = from / to;
    this.reach = Math.ceil(LOBES / cutoff);
    this.kernel = kernel(cutoff, this.reach);
    this.past = new Float32Array(PAST);
    this.reset();
  }

  /** Forget what came before. */
  reset() {
    this.past.fill(0);
    this.count = 0; // input samples so far
    this.at = 0; // where the next output sample lies, in input samples
  }

  put(sample) {
    this.past[this.count++ & (PAST - 1)] = sample;
  }

  /** Whether the input is there for another output sample. Take all before putting more. */
  get ready() {
    return this.at + this.reach < this.count;
  }

  take() {
    const first = Math.ceil(this.at - this.reach);
    const last = Math.floor(this.at + this.reach);
    let sum = 0;
    for (let i = first; i <= last; i++) {
      const where = Math.abs(this.at - i) * STEPS;
      const entry = Math.floor(where);
      const low = this.kernel[entry];
      const weight = low + (this.kernel[entry + 1] - low) * (where - entry);
      sum += this.past[i & (PAST - 1)] * weight;
    }
    this.at += this.step;
    return sum;
  }
}

/** One side of a Blackman-windowed sinc. */
function kernel(cutoff, reach) {
  const table = new Float32Array(reach * STEPS + 2);
  for (let i = 0; i <= reach * STEPS; i++) {
    const x = i / STEPS;
    const angle = Math.PI * cutoff * x;
    const sinc = i === 0 ? 1 : Math.sin(angle) / angle;
    const phase = (Math.PI * x) / reach;
    table[i] = cutoff * sinc * (0.42 + 0.5 * Math.cos(phase) + 0.08 * Math.cos(2 * phase));
  }
  return table;
}

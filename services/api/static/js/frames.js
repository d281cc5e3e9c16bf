// The frames of one clip as its sidecar states them: which one belongs to a moment. No DOM, no clock.
//
// Moments are seconds from the trigger; media times are seconds from the clip's first frame.

import { toUs } from "./time.js";

const STALL_S = 0.5;

export class Frames {
  #us;
  #seqs;
  #runs;

  constructor(sidecar, triggeredUs) {
    this.#us = sidecar.frames.map((frame) => frame[2]);
    this.#seqs = sidecar.frames.map((frame) => frame[1]);
    this.#runs = sidecar.frames.map((frame) => (frame[0] === null ? null : sidecar.runs[frame[0]]));
    this.triggerFrame = sidecar.trigger_frame;
    const firstUs = sidecar.first_frame_at ? toUs(sidecar.first_frame_at) : triggeredUs;
    this.firstUs = firstUs;
    this.startS = sidecar.trigger_us === null || sidecar.trigger_us === undefined ? (firstUs - triggeredUs) / 1e6 : -sidecar.trigger_us / 1e6;
    const gapsUs = this.#us.slice(1).map((us, index) => us - this.#us[index]).sort((one, other) => one - other);
    this.periodS = (gapsUs[gapsUs.length >> 1] ?? 33_333) / 1e6;
    this.holes = (sidecar.holes ?? []).map((hole) => ({
      cause: hole.cause,
      missing: hole.missing,
      fromS: this.startS + (toUs(hole.from_at) - firstUs) / 1e6,
      toS: this.startS + (toUs(hole.to_at) - firstUs) / 1e6,
    }));
  }

  get count() {
    return this.#us.length;
  }

  get endS() {
    return this.count ? this.momentOf(this.count - 1) + this.periodS : this.startS;
  }

  momentOf = (index) => this.startS + this.#us[index] / 1e6;
  wallUsOf = (index) => this.firstUs + this.#us[index];
  seqOf = (index) => this.#seqs[index];
  runOf = (index) => this.#runs[index];

  // In the middle of the frame's own time, so that no rounding shows its neighbour.
  mediaTimeIn(index) {
    const next = this.#us[index + 1] ?? this.#us[index] + this.periodS * 1e6;
    return (this.#us[index] + Math.min(next - this.#us[index], this.periodS * 1e6) / 2) / 1e6;
  }

  // The frame on the screen at a moment: the last that is not later. -1 before the first.
  at(momentS) {
    const us = (momentS - this.startS) * 1e6 + 0.5;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#us[middle] <= us) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  // The frame that a player names by its media time.
  nearestMedia(mediaS) {
    const index = Math.max(0, this.at(this.startS + mediaS));
    const here = Math.abs(this.#us[index] / 1e6 - mediaS);
    const next = index + 1 < this.count ? Math.abs(this.#us[index + 1] / 1e6 - mediaS) : Infinity;
    return next < here ? index + 1 : index;
  }

  // What is missing at a moment: null, or {cause, missing, fromS, toS}.
  holeAt(momentS) {
    const named = this.holes.find((hole) => momentS > hole.fromS + this.periodS && momentS < hole.toS);
    if (named) return named;
    const index = this.at(momentS);
    if (index < 0 || index + 1 >= this.count) return null;
    const fromS = this.momentOf(index);
    const toS = this.momentOf(index + 1);
    return toS - fromS > STALL_S && momentS > fromS + this.periodS ? { cause: "stalled", missing: null, fromS, toS } : null;
  }
}

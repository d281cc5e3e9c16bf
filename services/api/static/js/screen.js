// One camera of an event: its video, held to the player's moment, and the true name of the frame on the screen.

import { make, setText } from "./dom.js";
import { clock, offset } from "./time.js";

const SEEK_BEYOND_S = 0.25;
const CORRECTION = 2; // per second of drift: 20 ms off changes the speed by 4 %
const CORRECTION_MAX = 0.2;
export const CAUSE_WORDS = {
  lost_on_wire: "lost on the network",
  rejected_by_capture: "broken pictures",
  rejected_by_recorder: "malformed messages",
  stalled: "camera stalled",
  restarted: "camera restarted",
  dropped_by_writer: "disk too slow",
};

export class Screen {
  #pendingS = null;
  #isPlaying = false;

  // `frames` may be null: without a sidecar the video plays by its own times from `startS`.
  constructor(clip, url, frames, startS, { changed, chosen, failed }) {
    this.cameraId = clip.camera_id;
    this.frames = frames;
    this.startS = frames?.startS ?? startS;
    this.video = make("video", { src: url, preload: "auto", playsinline: true, "aria-label": `Picture of ${clip.camera_id}`, tabindex: -1 });
    this.video.muted = true;
    this.video.disablePictureInPicture = true;
    this.over = make("p", { class: "over", hidden: true });
    this.name = make("button", { type: "button", class: "plain name", "aria-pressed": "false", text: clip.camera_id, "aria-label": `Step by the frames of ${clip.camera_id}` });
    this.number = make("span", { class: "mono" });
    this.time = make("span", { class: "mono quiet" });
    this.element = make("figure", { class: "screen", "data-camera": clip.camera_id },
      make("div", { class: "frame" }, this.video, this.over),
      make("figcaption", {}, this.name, this.number, this.time));
    this.name.addEventListener("click", () => chosen(this));
    this.video.addEventListener("click", () => chosen(this));
    this.video.addEventListener("seeked", () => this.#seekPending());
    this.video.addEventListener("loadedmetadata", changed);
    this.video.addEventListener("error", () => failed(this, this.video.error));
    this.#watchFrames();
  }

  get endS() {
    return this.frames?.endS ?? this.startS + (Number.isFinite(this.video.duration) ? this.video.duration : 0);
  }

  covers(momentS) {
    return momentS >= this.startS - 1e-6 && momentS < this.endS;
  }

  // Whether the picture at this moment is there to be shown.
  isReadyAt(momentS) {
    return !this.covers(momentS) || (this.video.readyState >= 3 && !this.video.seeking);
  }

  // Called with every animation frame while playing.
  follow(momentS, rate) {
    this.#note(momentS);
    if (!this.covers(momentS)) return this.#rest();
    const drift = this.video.currentTime - (momentS - this.startS);
    if (!this.#isPlaying) {
      this.#isPlaying = true;
      this.#seek(momentS - this.startS);
      this.video.playbackRate = rate;
      this.video.play().catch(() => undefined);
    } else if (Math.abs(drift) > SEEK_BEYOND_S * Math.max(1, rate) && !this.video.seeking) {
      this.#seek(momentS - this.startS + 0.05 * rate);
    } else {
      const correction = Math.max(-CORRECTION_MAX, Math.min(CORRECTION_MAX, (-drift * CORRECTION) / rate));
      const wanted = rate * (1 + correction);
      if (Math.abs(this.video.playbackRate - wanted) > 0.005 * rate) this.video.playbackRate = wanted;
    }
  }

  hold() {
    this.video.pause();
    this.#isPlaying = false;
  }

  // Stand still on the frame of a moment.
  show(momentS) {
    this.hold();
    this.#note(momentS);
    if (!this.frames) return this.#seek(Math.max(0, momentS - this.startS));
    const index = Math.min(this.frames.count - 1, Math.max(0, this.frames.at(momentS)));
    if (index >= 0) this.#seek(this.frames.mediaTimeIn(index));
  }

  #rest() {
    if (this.#isPlaying) this.hold();
  }

  #seek(mediaS) {
    if (this.video.seeking || this.video.readyState === 0) {
      this.#pendingS = mediaS;
      if (this.video.readyState === 0) this.video.addEventListener("loadedmetadata", () => this.#seekPending(), { once: true });
      return;
    }
    this.#pendingS = null;
    if (Math.abs(this.video.currentTime - mediaS) > 1e-4) this.video.currentTime = mediaS;
  }

  #seekPending() {
    if (this.#pendingS !== null) this.#seek(this.#pendingS);
  }

  #note(momentS) {
    let text = "";
    if (!this.covers(momentS)) text = momentS < this.startS ? "Not recorded yet at this moment" : "No longer recorded at this moment";
    const hole = text ? null : this.frames?.holeAt(momentS);
    if (hole) text = `Gap of ${(hole.toS - hole.fromS).toFixed(2)} s: ${CAUSE_WORDS[hole.cause] ?? hole.cause}`;
    this.over.hidden = text === "";
    setText(this.over, text);
    this.element.toggleAttribute("data-absent", text !== "");
  }

  #watchFrames() {
    if (!("requestVideoFrameCallback" in HTMLVideoElement.prototype)) {
      this.video.addEventListener("timeupdate", () => this.#named(this.video.currentTime));
      return;
    }
    const shown = (_, { mediaTime }) => {
      this.#named(mediaTime);
      this.video.requestVideoFrameCallback(shown);
    };
    this.video.requestVideoFrameCallback(shown);
  }

  #named(mediaS) {
    if (!this.frames?.count) return setText(this.time, offset(this.startS + mediaS));
    const index = this.frames.nearestMedia(mediaS);
    const momentS = this.frames.momentOf(index);
    const isTrigger = index === this.frames.triggerFrame;
    this.index = index;
    this.momentS = momentS;
    Object.assign(this.element.dataset, { seq: this.frames.seqOf(index), moment: momentS.toFixed(6), index });
    this.element.toggleAttribute("data-trigger", isTrigger);
    setText(this.number, this.frames.seqOf(index) === null ? `frame ${index + 1}` : `#${this.frames.seqOf(index)}`);
    setText(this.time, `${clock(this.frames.wallUsOf(index), 3)}  ${isTrigger ? "trigger frame" : offset(momentS)}`);
  }
}

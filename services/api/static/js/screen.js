// One camera of an event: a video that runs a little before the player's clock, and a canvas that shows its frames when
// their moment has come, each with its true name.
//
// A video shows a frame when its own turn comes; so it is not shown. Its frames are kept as pictures until the player,
// in one turn for all cameras, says which moment is on the screen.

import { make, setText } from "./dom.js";
import { clock, offset } from "./time.js";

const LEAD_S = 0.08; // how long before its moment a frame should be there, in the viewer's seconds
const LEAD_MAX_S = 0.2; // a video that is further ahead waits
const JUMP_S = 1;
const CORRECTION = 3; // per second of drift: 20 ms off changes the speed by 6 %
const CORRECTION_MAX = 0.2;
const HELD_MAX = 12;
const ROUNDING_S = 1e-6;
export const CAUSE_WORDS = {
  lost_on_wire: "lost on the network",
  rejected_by_capture: "broken pictures",
  rejected_by_recorder: "malformed messages",
  stalled: "camera stalled",
  restarted: "camera restarted",
  renumbered: "numbers began anew",
  dropped_by_writer: "disk too slow",
};

// One for all screens: each would keep a whole picture of its own.
const brush = new OffscreenCanvas(1, 1).getContext("2d", { alpha: false });

export class Screen {
  isDue = false; // a frame has been asked for that has not come; a file that has not begun to load keeps nobody waiting
  #held = []; // frames to come, in order: {index, momentS, untilS, picture}
  #shown = null;
  #waitingS = 0; // the moment to show once the file has begun to load
  #isPlaying = false;
  #surface;

  // `frames` may be null: without a sidecar the video plays by its own times from `startS`.
  constructor(clip, url, frames, startS, { changed, chosen, failed, arrived }) {
    this.cameraId = clip.camera_id;
    this.frames = frames;
    this.startS = frames?.startS ?? startS;
    this.video = make("video", { src: url, preload: "auto", playsinline: true, "aria-hidden": "true", tabindex: -1 });
    this.video.muted = true;
    this.video.disablePictureInPicture = true;
    this.canvas = make("canvas", { role: "img", "aria-label": `Picture of ${clip.camera_id}` });
    this.#surface = this.canvas.getContext("bitmaprenderer", { alpha: false });
    this.over = make("p", { class: "over", hidden: true });
    this.name = make("button", { type: "button", class: "plain name", "aria-pressed": "false", text: clip.camera_id, "aria-label": `Step by the frames of ${clip.camera_id}` });
    this.number = make("span", { class: "mono" });
    this.time = make("span", { class: "mono quiet" });
    this.element = make("figure", { class: "screen", "data-camera": clip.camera_id },
      make("div", { class: "frame" }, this.video, this.canvas, this.over),
      make("figcaption", {}, this.name, this.number, this.time));
    this.name.addEventListener("click", () => chosen(this));
    this.canvas.addEventListener("click", () => chosen(this));
    this.video.addEventListener("loadedmetadata", () => {
      this.show(this.#waitingS);
      changed();
    });
    this.video.addEventListener("error", () => failed(this, this.video.error));
    this.video.addEventListener("seeked", () => requestAnimationFrame(() => this.#stand(arrived)));
    const came = (_, { mediaTime }) => {
      this.#keep(mediaTime);
      this.video.requestVideoFrameCallback(came);
      arrived();
    };
    this.video.requestVideoFrameCallback(came);
    new ResizeObserver(() => this.#sharpen(arrived)).observe(this.canvas);
  }

  get endS() {
    return this.frames?.endS ?? this.startS + (Number.isFinite(this.video.duration) ? this.video.duration : 0);
  }

  covers(momentS) {
    return momentS >= this.startS - ROUNDING_S && momentS < this.endS;
  }

  // How far the clock may go from this moment with the frames that are here.
  reachS(momentS) {
    if (momentS < this.startS - ROUNDING_S) return this.startS;
    if (momentS >= this.endS || this.video.ended) return Infinity;
    const newest = this.#newest();
    return newest && !this.isDue ? newest.untilS - 1e-3 : momentS;
  }

  // Stand still, and ask for the frame of a moment; `present` shows it when it is there.
  show(momentS) {
    this.hold();
    this.#note(momentS);
    const index = this.frames?.count ? Math.max(0, this.frames.at(momentS)) : null;
    const mediaS = index === null ? Math.max(0, momentS - this.startS) : this.frames.mediaTimeIn(index);
    if (this.video.readyState === 0) {
      this.#waitingS = momentS;
      return;
    }
    if (Math.abs(this.video.currentTime - mediaS) < 1e-4) return;
    this.#letGo(this.#held.length);
    this.isDue = true;
    this.video.currentTime = mediaS;
  }

  // Put on the screen what belongs to the moment: the last frame that is not later.
  present(momentS) {
    let next = this.#held.findLastIndex((frame) => frame.momentS <= momentS + ROUNDING_S);
    // Nothing yet, or something of after a jump back: the nearest that is there.
    if (next < 0 && this.#held.length && !(this.#shown?.momentS <= this.#held[0].momentS)) next = 0;
    if (next < 0) return;
    this.#letGo(next);
    this.#put(this.#held.shift());
  }

  // Called with every animation frame while playing: keep the video ahead of the clock.
  follow(momentS, rate) {
    this.#note(momentS);
    if (momentS >= this.endS || momentS + LEAD_S * rate < this.startS) return this.hold();
    if (this.isDue || this.video.ended) return;
    const driftS = this.video.currentTime - (momentS - this.startS);
    if (Math.abs(driftS) > JUMP_S * Math.max(1, rate)) return this.show(momentS);
    const aheadS = driftS / rate;
    if (aheadS > LEAD_MAX_S && this.#newest()?.momentS > momentS) return this.hold();
    const correction = Math.max(-CORRECTION_MAX, Math.min(CORRECTION_MAX, (LEAD_S - aheadS) * CORRECTION));
    const wanted = rate * (1 + correction);
    if (Math.abs(this.video.playbackRate - wanted) > 0.01 * rate) this.video.playbackRate = wanted;
    if (this.#isPlaying) return;
    this.#isPlaying = true;
    this.video.play().catch(() => undefined);
  }

  hold() {
    if (this.#isPlaying) this.video.pause();
    this.#isPlaying = false;
  }

  #newest = () => this.#held.at(-1) ?? this.#shown;

  #letGo(count) {
    for (const frame of this.#held.splice(0, count)) frame.picture.close();
  }

  // A browser does not tell of a frame that comes close behind another, such as the one sought behind the first. Where
  // the video stands still, its frame is the one at its time.
  #stand(arrived) {
    if (this.video.seeking || this.#isPlaying) return;
    const soughtS = this.video.currentTime;
    const index = this.frames?.count ? Math.max(0, this.frames.at(this.startS + soughtS)) : null;
    const mediaS = index === null ? soughtS : this.frames.momentOf(index) - this.startS;
    if (index === null || this.#newest()?.index !== index) this.#keep(mediaS);
    this.isDue = false;
    arrived();
  }

  // A frame that stands and is now seen larger is drawn again.
  #sharpen(arrived) {
    if (this.#isPlaying || this.isDue || !this.#shown || this.#size().width <= this.canvas.width) return;
    this.#keep(this.#shown.momentS - this.startS);
    arrived();
  }

  #keep(mediaS) {
    // A page that is being left has let go of its videos' files, and is still told of a frame.
    if (this.video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    // When this is told late, the video may have gone on to its next frame: the name is that of the picture taken.
    const source = globalThis.VideoFrame ? new VideoFrame(this.video) : this.video;
    const frame = this.#frameOf(source.timestamp === undefined ? mediaS : source.timestamp / 1e6);
    if (!this.video.seeking) this.isDue = false;
    // After a jump back, what was ahead is no longer to come.
    const later = this.#held.findIndex((other) => other.momentS >= frame.momentS);
    if (later >= 0) for (const other of this.#held.splice(later)) other.picture.close();
    if (this.#held.length >= HELD_MAX) this.#letGo(1);
    const { canvas } = brush;
    Object.assign(canvas, this.#size());
    brush.drawImage(source, 0, 0, canvas.width, canvas.height);
    source.close?.();
    frame.picture = canvas.transferToImageBitmap();
    this.#held.push(frame);
  }

  // As large as it is seen: the whole frames of eight large cameras would take a gigabyte.
  #size() {
    const { videoWidth: width, videoHeight: height } = this.video;
    const seen = devicePixelRatio * Math.max(this.canvas.clientWidth / width, this.canvas.clientHeight / height);
    const share = Math.min(1, seen);
    return { width: Math.max(1, Math.round(width * share)), height: Math.max(1, Math.round(height * share)) };
  }

  #frameOf(mediaS) {
    if (!this.frames?.count) return { index: null, momentS: this.startS + mediaS, untilS: Infinity };
    const index = this.frames.nearestMedia(mediaS);
    const isLast = index + 1 >= this.frames.count;
    return { index, momentS: this.frames.momentOf(index), untilS: isLast ? Infinity : this.frames.momentOf(index + 1) };
  }

  // The picture and its name change together.
  #put(frame) {
    const { width, height } = frame.picture;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.#surface.transferFromImageBitmap(frame.picture);
    this.#shown = frame;
    const { index, momentS } = frame;
    if (index === null) return setText(this.time, offset(momentS));
    const seq = this.frames.seqOf(index);
    const isTrigger = index === this.frames.triggerFrame;
    Object.assign(this.element.dataset, { seq, moment: momentS.toFixed(6), index });
    this.element.toggleAttribute("data-trigger", isTrigger);
    setText(this.number, seq === null ? `frame ${index + 1}` : `#${seq}`);
    setText(this.time, `${clock(this.frames.wallUsOf(index), 3)}  ${isTrigger ? "trigger frame" : offset(momentS)}`);
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
}

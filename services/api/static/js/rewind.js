// Rewind: look back through a camera's ring while it is only in memory, and trigger at the very frame on the screen.
//
// The frame shown stays fixed while "now" moves on, so on the axis it drifts to the left until it leaves memory.

import { fetchOk, frameUrl } from "./api.js";
import { byId, setAttribute, setStyle, setText } from "./dom.js";
import { Picture } from "./picture.js";
import { nameOf } from "./snapshots.js";
import { clock, plain, toUs } from "./time.js";
import { outcomeOf } from "./trigger.js";

const TICK_MS = 200;
const KEYS_WAITING_MAX = 8; // a key held down must not run on after it is let go
const EDGE_S = 0.15; // what is asked for this near to the oldest frame may be gone when the request arrives

export class Rewind {
  #dialog = byId("rewind");
  #slider = byId("rewind-slider");
  #form;
  #camera = null;
  #frame = null; // {runId, seq, us}
  #aheadUs = 0; // the camera's clock less this browser's
  #wanted = []; // what to ask for when the request under way is answered; each makes its query when its turn comes
  #isAsking = false;
  #ticker = null;
  #picture = new Picture(byId("rewind-picture"));

  constructor(form) {
    this.#form = form;
    this.#dialog.addEventListener("close", () => this.#leave());
    this.#dialog.addEventListener("keydown", (pressed) => this.#key(pressed));
    byId("rewind-close").addEventListener("click", () => this.#dialog.close());
    this.#slider.addEventListener("input", () => this.#seek(Number(this.#slider.value)));
    byId("rewind-back").addEventListener("click", () => this.#step(-1));
    byId("rewind-forward").addEventListener("click", () => this.#step(1));
    byId("rewind-newest").addEventListener("click", () => this.#newest());
    byId("rewind-trigger").addEventListener("click", () => this.#trigger());
  }

  open(camera) {
    this.#camera = camera;
    this.#frame = null;
    setText(byId("rewind-title"), `Rewind ${camera.camera_id}`);
    setText(byId("rewind-outcome"), "");
    this.#picture.clear();
    byId("rewind-nothing").hidden = true;
    this.#dialog.showModal();
    this.#slider.focus();
    this.#ticker = setInterval(() => this.#draw(), TICK_MS);
    this.#newest();
    this.#draw();
  }

  update(camera) {
    if (this.#camera?.camera_id === camera.camera_id) this.#camera = camera;
  }

  get #newestUs() {
    const silentUs = this.#camera.state === "live" ? 0 : (this.#camera.age_s ?? 0) * 1e6;
    return Date.now() * 1000 + this.#aheadUs - silentUs;
  }

  get #spanS() {
    return Math.max(0.1, this.#camera.ring_s);
  }

  #leave() {
    clearInterval(this.#ticker);
    this.#camera = null;
    this.#wanted = [];
  }

  #newest() {
    this.#go(() => ({}));
  }

  // `behindS` seconds before now, a negative number.
  #seek(behindS) {
    this.#go(() => this.#at(behindS));
  }

  #step(steps) {
    this.#goOn(() => ({ run_id: this.#frame.runId, seq: this.#frame.seq, steps }));
  }

  #shift(seconds) {
    this.#goOn(() => this.#at((this.#frame.us - this.#newestUs) / 1e6 + seconds));
  }

  #at(behindS) {
    const s = Math.min(0, Math.max(behindS, -this.#spanS + EDGE_S));
    return { at: ((this.#newestUs + s * 1e6) / 1e6).toFixed(6) };
  }

  // To a place of its own: while dragging, the moments in between are skipped.
  #go(makeQuery) {
    this.#wanted = [makeQuery];
    this.#ask();
  }

  // From the frame that is shown when its turn comes: no key that is pressed quickly is lost.
  #goOn(makeQuery) {
    if (!this.#frame || this.#wanted.length >= KEYS_WAITING_MAX) return;
    this.#wanted.push(makeQuery);
    this.#ask();
  }

  // One request at a time.
  async #ask() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#wanted.length && this.#camera) await this.#show(this.#wanted.shift()());
    this.#isAsking = false;
  }

  async #show(query) {
    const nothing = byId("rewind-nothing");
    const { camera_id: cameraId } = this.#camera;
    try {
      const response = await fetchOk(frameUrl(cameraId, query));
      const name = nameOf(response);
      const picture = await response.blob();
      if (this.#camera?.camera_id !== cameraId) return;
      await this.#picture.show(picture);
      const us = toUs(name.time);
      if (Object.keys(query).length === 0) this.#aheadUs = us - Date.now() * 1000 + (this.#camera.state === "live" ? 0 : (this.#camera.age_s ?? 0) * 1e6);
      this.#frame = { runId: name.runId, seq: name.seq, us };
      this.#dialog.dataset.runId = name.runId;
      this.#dialog.dataset.seq = name.seq;
      nothing.hidden = true;
    } catch (error) {
      if (!this.#camera) return;
      // A step beyond either end finds no frame: what is shown stays.
      if (error.status === 404 && query.steps && this.#frame) return;
      setText(nothing, error.message);
      nothing.hidden = false;
    }
    this.#draw();
  }

  #draw() {
    const camera = this.#camera;
    if (!camera) return;
    const spanS = this.#spanS;
    setText(byId("rewind-oldest"), `${plain(spanS)} s ago`);
    setAttribute(this.#slider, "min", (-spanS).toFixed(3));
    setAttribute(this.#slider, "max", 0);
    byId("rewind-trigger").disabled = !this.#frame;
    if (!this.#frame) return;
    const behindS = Math.min(0, (this.#frame.us - this.#newestUs) / 1e6);
    const isGone = behindS < -spanS;
    if (document.activeElement !== this.#slider || !this.#slider.matches(":active")) this.#slider.value = behindS;
    setAttribute(this.#slider, "aria-valuetext", `${plain(-behindS)} s ago, frame ${this.#frame.seq}`);
    setText(byId("rewind-behind"), behindS > -0.25 ? "now" : `${(-behindS).toFixed(1)} s ago`);
    setText(byId("rewind-time"), clock(this.#frame.us, 3));
    setText(byId("rewind-frame"), `#${this.#frame.seq}`);
    setText(byId("rewind-lasts"), isGone ? "This frame has left memory" : lastsFor(spanS + behindS));
    byId("rewind-trigger").disabled = isGone;
    this.#drawWindow(behindS, spanS);
  }

  // The window that a trigger here would have, and the part of it that memory no longer holds.
  #drawWindow(behindS, spanS) {
    const { preS, postS } = this.#form.window;
    const before = preS ?? this.#camera.wanted_s;
    const fromS = behindS - before;
    const toS = Math.min(0, behindS + (postS ?? 10));
    const share = (s) => 100 * Math.min(1, Math.max(0, 1 + s / spanS));
    setText(byId("rewind-span"), `Clip from ${clock(this.#frame.us - before * 1e6, 1)} to ${postS === null ? "the default end" : clock(this.#frame.us + postS * 1e6, 1)}`);
    setStyle(byId("rewind-window"), "left", `${share(fromS)}%`);
    setStyle(byId("rewind-window"), "width", `${share(toS) - share(fromS)}%`);
    const missingS = Math.max(0, -spanS - fromS);
    byId("rewind-absent").hidden = missingS < 0.1;
    setText(byId("rewind-absent"), missingS < 0.1 ? "" : `lacks ${plain(missingS)} s before`);
  }

  #key(pressed) {
    if (pressed.target.matches("input[type=checkbox], button") && (pressed.key === " " || pressed.key === "Enter")) return;
    const acts = {
      ArrowLeft: () => (pressed.shiftKey ? this.#shift(-1) : this.#step(-1)),
      ArrowRight: () => (pressed.shiftKey ? this.#shift(1) : this.#step(1)),
      Home: () => this.#seek(-this.#spanS),
      End: () => this.#newest(),
    };
    const act = acts[pressed.key];
    if (!act || pressed.ctrlKey || pressed.metaKey || pressed.altKey) return;
    pressed.preventDefault();
    act();
  }

  async #trigger() {
    const button = byId("rewind-trigger");
    const { camera_id } = this.#camera;
    const request = { at_frame: { camera_id, run_id: this.#frame.runId, seq: this.#frame.seq } };
    if (!byId("rewind-all").checked) request.cameras = [camera_id];
    button.disabled = true;
    const event = await this.#form.fire(request);
    button.disabled = false;
    if (event) {
      this.#dialog.dataset.event = event.event_id;
      byId("rewind-outcome").replaceChildren(outcomeOf(event));
    }
  }
}

const lastsFor = (seconds) => (seconds > 60 ? "" : `In memory for another ${Math.max(0, Math.floor(seconds))} s`);

// Plays all cameras of an event on one time axis: one clock here, every camera shows its frame of that clock.
//
// The clock goes only as far as every camera has its frame, and all cameras change their pictures in one turn of the
// display: while playing, stepping and seeking alike, what is on the screen belongs to one moment.

import { byId, make, setAttribute, setStyle, setText } from "./dom.js";
import { Lanes } from "./lanes.js";
import { clock, offset } from "./time.js";

export const RATES = [0.1, 0.25, 0.5, 1, 2, 4];

export class Player extends EventTarget {
  #screens = [];
  #lead = null;
  #lanes = new Lanes(byId("lanes"));
  #seek = byId("seek");
  #momentS = 0;
  #rate = 1;
  #isPlaying = false;
  #isMoved = false; // the moment has changed since the screens were asked for their frames
  #tickedAt = 0;
  #fromS = 0;
  #toS = 1;
  #triggeredUs;

  constructor(triggeredUs) {
    super();
    this.#triggeredUs = triggeredUs;
    this.#offerRates();
    byId("play").addEventListener("click", () => (this.#isPlaying ? this.pause() : this.play()));
    byId("back").addEventListener("click", () => this.step(-1));
    byId("forward").addEventListener("click", () => this.step(1));
    byId("to-trigger").addEventListener("click", () => this.seek(0));
    this.#seek.addEventListener("input", () => this.seek(Number(this.#seek.value)));
    this.chosen = (screen) => this.#choose(screen);
    this.measured = () => this.#measure();
    this.arrived = () => this.#settle();
    // A hidden page has no turns of the display.
    document.addEventListener("visibilitychange", () => document.hidden && this.pause());
  }

  get momentS() {
    return this.#momentS;
  }

  get lead() {
    return this.#lead;
  }

  // The axis is the window asked for, widened by what was delivered.
  setWindow(fromS, toS) {
    this.windowFromS = fromS;
    this.windowToS = toS;
    this.#measure();
  }

  // Its element is in its place already.
  add(screen) {
    this.#screens.push(screen);
    setAttribute(byId("screens"), "data-count", this.#screens.length);
    this.#choose(this.#lead ?? screen);
    this.#measure();
    this.seek(this.#momentS);
  }

  remove(screen) {
    this.#screens = this.#screens.filter((other) => other !== screen);
    screen.element.remove();
    setAttribute(byId("screens"), "data-count", this.#screens.length);
    this.#choose(this.#lead === screen ? (this.#screens[0] ?? null) : this.#lead);
    this.#measure();
    this.#settle();
  }

  setLanes(lanes) {
    this.#lanes.set(lanes);
    this.#measure();
  }

  play() {
    if (this.#isPlaying || !this.#screens.length) return;
    if (this.#momentS >= this.#toS - 0.05) this.#momentS = this.#fromS;
    this.#isPlaying = true;
    this.#tickedAt = performance.now();
    this.#showPlaying();
    requestAnimationFrame((now) => this.#tick(now));
  }

  pause() {
    if (!this.#isPlaying) return;
    this.#isPlaying = false;
    this.#showPlaying();
    this.seek(this.#momentS);
  }

  seek(momentS) {
    this.#momentS = Math.min(this.#toS, Math.max(this.#fromS, momentS));
    this.#tickedAt = performance.now();
    this.#isMoved = true;
    this.#settle();
    this.#draw();
  }

  // To the next or former frame of the chosen camera; the others show theirs of that moment.
  step(steps) {
    if (this.#isPlaying) this.pause();
    const frames = this.#lead?.frames;
    if (!frames?.count) return this.seek(this.#momentS + steps / 30);
    const index = Math.min(frames.count - 1, Math.max(0, frames.at(this.#momentS + 1e-7) + steps));
    this.seek(frames.momentOf(index));
  }

  setRate(rate) {
    this.#rate = rate;
    byId(`rate-${rate}`).checked = true;
  }

  handleKey(pressed) {
    const acts = {
      " ": () => (this.#isPlaying ? this.pause() : this.play()),
      ArrowLeft: () => (pressed.shiftKey ? this.seek(this.#momentS - 1) : this.step(-1)),
      ArrowRight: () => (pressed.shiftKey ? this.seek(this.#momentS + 1) : this.step(1)),
      Home: () => this.seek(this.#fromS),
      End: () => this.seek(this.#toS),
      t: () => this.seek(0),
      "[": () => this.#shiftRate(-1),
      "]": () => this.#shiftRate(1),
    };
    const act = acts[pressed.key];
    if (!act || pressed.ctrlKey || pressed.metaKey || pressed.altKey) return;
    pressed.preventDefault();
    act();
  }

  #tick(now) {
    if (!this.#isPlaying) return;
    const elapsedS = Math.min(0.25, Math.max(0, (now - this.#tickedAt) / 1000));
    this.#tickedAt = now;
    const reachS = Math.min(this.#toS, ...this.#screens.map((screen) => screen.reachS(this.#momentS)));
    this.#momentS = Math.max(this.#momentS, Math.min(reachS, this.#momentS + elapsedS * this.#rate));
    if (this.#momentS >= this.#toS) {
      this.pause();
      return;
    }
    for (const screen of this.#screens) {
      screen.present(this.#momentS);
      screen.follow(this.#momentS, this.#rate);
    }
    this.#draw();
    requestAnimationFrame((next) => this.#tick(next));
  }

  // Frames that were asked for are shown when the last of them has come; only then is the next moment asked for, so that
  // pulling the slider shows all it can.
  #settle() {
    if (this.#screens.some((screen) => screen.isDue)) return;
    if (!this.#isPlaying) for (const screen of this.#screens) screen.present(this.#momentS);
    if (!this.#isMoved) return;
    this.#isMoved = false;
    for (const screen of this.#screens) screen.show(this.#momentS);
  }

  #measure() {
    const starts = this.#screens.map((screen) => screen.startS);
    const ends = this.#screens.map((screen) => screen.endS);
    this.#fromS = Math.min(this.windowFromS ?? 0, ...starts);
    this.#toS = Math.max(this.windowToS ?? 0, ...ends, this.#fromS + 0.1);
    setAttribute(this.#seek, "min", this.#fromS);
    setAttribute(this.#seek, "max", this.#toS);
    setText(byId("axis-from"), offset(this.#fromS, 1));
    setText(byId("axis-to"), offset(this.#toS, 1));
    this.#lanes.draw(this.#fromS, this.#toS);
    setStyle(byId("trigger-mark"), "left", `${this.#share(0)}%`);
    this.#draw();
  }

  #share(momentS) {
    return (100 * (momentS - this.#fromS)) / (this.#toS - this.#fromS);
  }

  #draw() {
    setStyle(byId("playhead"), "left", `${this.#share(this.#momentS)}%`);
    this.#seek.value = this.#momentS;
    setAttribute(this.#seek, "aria-valuetext", `${offset(this.#momentS)} from the trigger`);
    setText(byId("now"), `${offset(this.#momentS)}   ${clock(this.#triggeredUs + this.#momentS * 1e6, 3)}`);
    this.dispatchEvent(new Event("moment"));
  }

  #choose(screen) {
    this.#lead = screen;
    for (const other of this.#screens) {
      other.element.toggleAttribute("data-lead", other === screen && this.#screens.length > 1);
      setAttribute(other.name, "aria-pressed", other === screen);
    }
  }

  #offerRates() {
    const fieldset = document.querySelector(".rates");
    for (const rate of RATES) {
      const input = make("input", { type: "radio", name: "rate", id: `rate-${rate}`, value: rate, class: "sr", on: { change: () => this.setRate(rate) } });
      fieldset.append(input, make("label", { for: `rate-${rate}`, text: `${rate}×` }));
    }
    this.setRate(1);
  }

  #shiftRate(by) {
    this.setRate(RATES[Math.min(RATES.length - 1, Math.max(0, RATES.indexOf(this.#rate) + by))]);
  }

  #showPlaying() {
    setText(byId("play"), this.#isPlaying ? "Pause" : "Play");
    setAttribute(byId("player"), "data-playing", this.#isPlaying);
  }
}

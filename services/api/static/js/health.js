// The recorder's health at a glance: one strip of figures, each with the limit it is measured against.

import { make, setAttribute, setStyle, setText } from "./dom.js";
import { bytes, counted, span } from "./time.js";

class Figure {
  constructor(name, hasBar) {
    this.value = make("strong", { text: "–" });
    this.note = make("span", { class: "note" });
    this.bar = hasBar ? make("span", { class: "bar", role: "presentation" }, make("span")) : null;
    this.element = make("div", { class: "figure" }, make("span", { class: "name", text: name }), this.value, this.note, this.bar);
  }

  show(value, note, kind = "good", share = null) {
    setText(this.value, value);
    setText(this.note, note);
    setAttribute(this.element, "data-kind", kind);
    if (this.bar && share !== null) setStyle(this.bar.firstChild, "width", `${Math.min(100, 100 * share)}%`);
  }
}

export class Health {
  #recorder = new Figure("Recorder", false);
  #memory = new Figure("Memory for frames", true);
  #disk = new Figure("Disk", true);
  #events = new Figure("Events", false);
  #encoding = new Figure("Encoding", false);
  #isKnown = false;

  constructor(element) {
    element.append(...[this.#recorder, this.#memory, this.#disk, this.#events, this.#encoding].map((figure) => figure.element));
    this.away("asking");
  }

  update(health) {
    const { disk } = health;
    this.#isKnown = true;
    this.#recorder.show("Running", `for ${span(health.uptime_s)}`);
    const memoryShare = health.ring_bytes / Math.max(1, health.ring_max_bytes);
    this.#memory.show(bytes(health.ring_bytes), `of ${bytes(health.ring_max_bytes)}`, memoryShare > 0.98 ? "warn" : "good", memoryShare);
    const usedShare = 1 - disk.free_bytes / Math.max(1, disk.total_bytes);
    const diskKind = disk.is_full ? "bad" : usedShare > 0.92 ? "warn" : "good";
    this.#disk.show(disk.is_full ? "Full" : `${bytes(disk.free_bytes)} free`, disk.is_full ? "triggers are refused" : `clips take ${bytes(disk.clips_bytes)}`, diskKind, usedShare);
    this.#events.show(health.events_active ? `${health.events_active} active` : "None active", `${health.events_total.toLocaleString("en")} kept`);
    const waiting = health.encodes_waiting + health.encodes_running;
    this.#encoding.show(waiting ? counted(waiting, "clip") : "Idle", health.encoder || "no encoder", waiting > 20 ? "warn" : "good");
  }

  // Figures that are known stay; they are said to be the last ones.
  away(why) {
    if (why === "asking") this.#recorder.show("Asking", "");
    else this.#recorder.show("Not answering", this.#isKnown ? "last figures" : "", "bad");
  }
}

// One camera on the dashboard: its picture, its state, and whether a trigger now would be complete.

import { make, setAttribute, setStyle, setText } from "./dom.js";
import { Snapshots } from "./snapshots.js";
import { bytes, counted, plain, span } from "./time.js";

const STATE_WORDS = { starting: "starting", live: "live", stalled: "stalled", lost: "lost" };
const LOSS_WORDS = {
  rejected_by_capture: "broken pictures from the camera",
  lost_on_wire: "lost on the network",
  rejected_by_recorder: "malformed messages",
  out_of_order: "out of order",
  dropped_by_writer: "disk too slow",
};
const REMARK_WORDS = {
  evicted_early: "left memory early (memory limit)",
  refused_second_run: "from a second capture with this name",
  refused_foreign_key: "sent with another camera's key",
  restarts: "restarts of the capture",
};

export class Tile {
  #snapshots;
  #camera = null;
  #hasPicture = false;

  // `actions` has trigger(cameraId), rewind(cameraId) and forget(cameraId).
  constructor(cameraId, actions) {
    this.cameraId = cameraId;
    const act = (name) => ({ click: () => actions[name](cameraId) });
    const image = make("img", { alt: `Latest picture of ${cameraId}`, hidden: true });
    this.veil = make("p", { class: "veil", text: "Waiting for the first picture" });
    this.number = make("span", { class: "number mono" });
    this.state = make("span", { class: "chip", role: "status" });
    this.facts = make("span", { class: "facts" });
    this.fill = make("span", { class: "fill" });
    this.need = make("span", { class: "need" });
    this.meter = make("div", { class: "ring", role: "meter", "aria-label": `Seconds of ${cameraId} in memory`, "aria-valuemin": 0 }, this.fill, this.need);
    this.verdict = make("p", { class: "verdict", role: "status" });
    this.lossCount = make("summary");
    this.lossList = make("dl");
    this.losses = make("details", { class: "losses" }, this.lossCount, this.lossList);
    this.rewindButton = make("button", { type: "button", "aria-label": `Rewind ${cameraId}`, text: "Rewind", on: act("rewind") });
    this.triggerButton = make("button", { type: "button", class: "operates go", "aria-label": `Trigger ${cameraId}`, text: "Trigger", on: act("trigger") });
    this.forgetButton = make("button", { type: "button", class: "operates", "aria-label": `Forget ${cameraId}`, text: "Forget", hidden: true, on: act("forget") });
    this.element = make(
      "li",
      { class: "tile panel", "data-camera": cameraId },
      make("div", { class: "picture" }, image, this.veil, this.number),
      make("div", { class: "caption" },
        make("div", { class: "row spread" }, make("h3", { text: cameraId }), this.state),
        this.facts,
        this.meter,
        this.verdict,
        make("div", { class: "row spread feet" }, this.losses, make("div", { class: "row" }, this.forgetButton, this.rewindButton, this.triggerButton))),
    );
    this.#snapshots = new Snapshots(cameraId, image, (frame) => this.#pictured(frame));
  }

  // `ringWindowS` is the span that the ring may hold at most; null while it is not known.
  update(camera, ringWindowS) {
    this.#camera = camera;
    const isLive = camera.state === "live";
    setAttribute(this.element, "data-state", camera.state);
    setAttribute(this.state, "data-state", camera.state);
    setText(this.state, STATE_WORDS[camera.state] ?? camera.state);
    this.#showFacts(camera, isLive);
    this.#showRing(camera, ringWindowS);
    this.#showLosses(camera.losses ?? {});
    this.forgetButton.hidden = camera.state !== "lost";
    this.rewindButton.disabled = camera.ring_s <= 0 && !(camera.ring_bytes > 0);
    this.#snapshots.want(isLive);
    this.#showVeil();
  }

  // The recorder or the link is away: what is shown is old.
  suspend(reason) {
    this.#snapshots.want(false);
    setAttribute(this.element, "data-state", "unknown");
    setAttribute(this.state, "data-state", "unknown");
    setText(this.state, "not known");
    setText(this.verdict, reason);
    setAttribute(this.verdict, "data-kind", "bad");
    setText(this.veil, reason);
    this.veil.hidden = false;
  }

  close() {
    this.#snapshots.close();
    this.element.remove();
  }

  #pictured(frame) {
    this.#hasPicture = true;
    this.element.dataset.runId = frame.runId;
    this.element.dataset.seq = frame.seq;
    setText(this.number, `#${frame.seq}`);
    this.#showVeil();
  }

  #showFacts(camera, isLive) {
    const size = camera.width ? `${camera.width}×${camera.height}` : "size unknown";
    const rate = isLive ? `${camera.fps.toFixed(1)} fps` : camera.age_s === null ? "no frame yet" : `last frame ${span(camera.age_s)} ago`;
    setText(this.facts, [rate, size, camera.source].filter(Boolean).join(" · "));
    setAttribute(this.facts, "title", camera.source ?? "");
  }

  #showRing(camera, ringWindowS) {
    const scaleS = Math.max(ringWindowS ?? 0, camera.wanted_s, camera.ring_s, 1);
    setStyle(this.fill, "width", `${(100 * camera.ring_s) / scaleS}%`);
    setStyle(this.need, "width", `${(100 * camera.wanted_s) / scaleS}%`);
    setAttribute(this.meter, "aria-valuemax", plain(scaleS));
    setAttribute(this.meter, "aria-valuenow", plain(Math.min(camera.ring_s, scaleS)));
    setAttribute(this.meter, "aria-valuetext", `${plain(camera.ring_s)} s held, ${plain(camera.wanted_s)} s needed`);
    setAttribute(this.meter, "title", `${plain(camera.ring_s)} s in memory (${bytes(camera.ring_bytes)}); a default trigger needs ${plain(camera.wanted_s)} s before it`);
    const [kind, words] = verdictOf(camera);
    setAttribute(this.verdict, "data-kind", kind);
    setText(this.verdict, words);
  }

  #showLosses(losses) {
    const lost = Object.keys(LOSS_WORDS).reduce((sum, name) => sum + (losses[name] ?? 0), 0);
    setText(this.lossCount, lost === 0 ? "No losses" : `${counted(lost, "frame")} lost`);
    setAttribute(this.losses, "data-kind", lost === 0 ? "none" : "some");
    const words = { ...LOSS_WORDS, ...REMARK_WORDS };
    const signature = Object.keys(words).map((name) => losses[name] ?? 0).join(",");
    if (this.lossList.dataset.signature === signature) return;
    this.lossList.dataset.signature = signature;
    this.lossList.replaceChildren(
      ...Object.entries(words).flatMap(([name, text]) => [make("dt", { text }), make("dd", { text: losses[name] ?? 0 })]),
    );
  }

  #showVeil() {
    const camera = this.#camera;
    if (!camera) return;
    const isLive = camera.state === "live";
    this.veil.hidden = isLive && this.#hasPicture;
    if (isLive) setText(this.veil, "Waiting for the first picture");
    else setText(this.veil, camera.age_s === null ? "No picture yet" : `No frame for ${span(camera.age_s)}`);
  }
}

// Would a trigger now be complete? A ring holds whole frames, so it may fall short of the span by one of them.
function verdictOf(camera) {
  if (camera.state === "lost") return ["bad", camera.age_s === null ? "Nothing to record: no frame has come" : "Nothing to record: the camera is lost"];
  if (camera.state === "starting") return ["wait", "Starting"];
  const slackS = camera.fps > 0 ? 2 / camera.fps : 0.1;
  const missingS = camera.wanted_s - camera.ring_s;
  if (camera.state === "stalled") return ["warn", "A trigger now would have a gap"];
  if (missingS > slackS) return ["warn", `A trigger now would lack its first ${plain(missingS)} s`];
  return ["good", `${plain(camera.ring_s, 0)} s held, ${plain(camera.wanted_s)} s needed`];
}

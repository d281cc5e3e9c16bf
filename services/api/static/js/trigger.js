// The trigger form: window and labels, which hold for every trigger made on the page.

import { eventPage, trigger } from "./api.js";
import { byId, make } from "./dom.js";
import { explain, notify } from "./shell.js";
import { counted, plain } from "./time.js";

class LabelsMalformed extends Error {}

export class TriggerForm {
  #accepted;

  // `accepted(event)` is called with every event that came of a trigger here.
  constructor(accepted) {
    this.#accepted = accepted;
    byId("trigger").addEventListener("submit", (submitted) => {
      submitted.preventDefault();
      this.fire({});
    });
    for (const input of [byId("labels"), byId("pre"), byId("post")]) input.addEventListener("input", () => this.#refuse(null, ""));
  }

  // The window as far as it is set here; null means the recorder's default.
  get window() {
    return { preS: numberIn("pre"), postS: numberIn("post") };
  }

  set isPossible(isPossible) {
    byId("trigger-all").disabled = !isPossible;
  }

  // `what` is {cameras?, at_frame?}. Resolves to the event, or null when the trigger was refused (and said so).
  async fire(what) {
    const request = { ...what };
    try {
      const labels = labelsIn(byId("labels").value);
      if (Object.keys(labels).length) request.labels = labels;
    } catch (error) {
      this.#refuse(byId("labels"), error.message);
      return null;
    }
    const { preS, postS } = this.window;
    if (preS !== null) request.pre_s = preS;
    if (postS !== null) request.post_s = postS;
    try {
      const event = await trigger(request);
      notify(outcomeOf(event));
      this.#accepted(event);
      return event;
    } catch (error) {
      explain(error);
      return null;
    }
  }

  #refuse(input, message) {
    byId("trigger-refusal").textContent = message;
    for (const field of [byId("labels"), byId("pre"), byId("post")]) field.removeAttribute("aria-invalid");
    if (input) {
      input.setAttribute("aria-invalid", "true");
      input.focus();
    }
  }
}

export function outcomeOf(event) {
  const link = make("a", { href: eventPage(event.event_id), text: "Open event" });
  const missing = event.clips.filter((clip) => clip.coverage !== undefined && clip.coverage !== "full");
  const cameras = counted(event.clips.length, "camera");
  const text = missing.length
    ? `Triggered on ${cameras}; ${missing.map((clip) => `${clip.camera_id} lacks ${clip.coverage === "none" ? "everything" : `${plain(clip.missing_s ?? 0)} s`}`).join(", ")}.`
    : `Triggered on ${cameras}.`;
  return make("span", {}, `${text} `, link);
}

function numberIn(id) {
  const value = byId(id).value.trim();
  return value === "" || !Number.isFinite(Number(value)) ? null : Number(value);
}

// "line=3, fault=E17, urgent" → {line: "3", fault: "E17", urgent: ""}
export function labelsIn(text) {
  const labels = {};
  for (const part of text.split(",").map((piece) => piece.trim()).filter(Boolean)) {
    const [key, ...rest] = part.split("=");
    if (!key.trim()) throw new LabelsMalformed(`“${part}” has no name before the =. Write labels as name=value, separated by commas.`);
    labels[key.trim()] = rest.join("=").trim();
  }
  return labels;
}

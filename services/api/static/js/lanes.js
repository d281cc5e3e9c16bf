// The time axis: a lane per camera with what was asked for, what is there, and every gap.

import { make, setStyle } from "./dom.js";
import { CAUSE_WORDS } from "./screen.js";

export class Lanes {
  #element;
  #lanes = [];

  constructor(element) {
    this.#element = element;
  }

  // Each lane: {cameraId, state, lacks, fromS, toS, holes: [{fromS, toS, cause, missing}]}, seconds from the trigger;
  // fromS is null where nothing was delivered.
  set(lanes) {
    this.#lanes = lanes;
  }

  draw(fromS, toS) {
    const place = (element, startS, endS) => {
      const from = (100 * (startS - fromS)) / (toS - fromS);
      const to = (100 * (endS - fromS)) / (toS - fromS);
      setStyle(element, "left", `${Math.max(0, from)}%`);
      setStyle(element, "width", `${Math.min(100, to) - Math.max(0, from)}%`);
      return element;
    };
    this.#element.replaceChildren(
      ...this.#lanes.map((lane) => {
        const row = make("div", { class: "lane", "data-state": lane.state, "data-lacks": lane.lacks });
        if (lane.fromS !== null) row.append(place(make("span", { class: "there" }), lane.fromS, lane.toS));
        for (const hole of lane.holes) row.append(place(make("span", { class: "hole", title: holeWords(hole) }), hole.fromS, hole.toS));
        row.append(make("span", { class: "lane-name", text: lane.cameraId }));
        return row;
      }),
    );
  }
}

export function holeWords(hole) {
  const cause = CAUSE_WORDS[hole.cause] ?? hole.cause;
  const missing = hole.missing ? `, ${hole.missing} ${hole.missing === 1 ? "frame" : "frames"} missing` : "";
  return `${(hole.toS - hole.fromS).toFixed(2)} s: ${cause}${missing}`;
}

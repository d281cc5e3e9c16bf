// The log records of an event's span, beside its pictures; the one of the moment is marked.

import { logs } from "./api.js";
import { byId, make, setText } from "./dom.js";
import { factsOf, sourceOf } from "./log-record.js";
import { offset, toRfc3339, toUs } from "./time.js";

const SHOWN_MAX = 1_000;

export class SpanLogs {
  #rows = []; // {momentS, element}
  #marked = null;
  #triggeredUs;
  #seek;

  constructor(triggeredUs, seek) {
    this.#triggeredUs = triggeredUs;
    this.#seek = seek;
  }

  async load(eventId, fromS, toS) {
    const note = byId("logs-note");
    try {
      const since = toRfc3339(Math.round(this.#triggeredUs + fromS * 1e6));
      const until = toRfc3339(Math.round(this.#triggeredUs + toS * 1e6));
      const records = await logs({ since, until, limit: SHOWN_MAX });
      this.#show(records, eventId);
      setText(note, records.length ? "" : "No records of this span are in memory any more. Records are kept for a limited time only.");
    } catch (error) {
      setText(note, `Logs could not be loaded. ${error.message}`);
    }
    note.hidden = note.textContent === "";
  }

  mark(momentS) {
    let found = null;
    for (const row of this.#rows) if (row.momentS <= momentS) found = row;
    if (found === this.#marked) return;
    this.#marked?.element.removeAttribute("aria-current");
    this.#marked = found;
    if (!found) return;
    found.element.setAttribute("aria-current", "true");
    const list = byId("logs");
    const top = found.element.offsetTop - list.offsetTop;
    if (top < list.scrollTop || top > list.scrollTop + list.clientHeight - 40) list.scrollTop = top - list.clientHeight / 2;
  }

  #show(records, eventId) {
    const sorted = records.map((record) => ({ record, us: toUs(record.time) })).sort((one, other) => one.us - other.us);
    this.#rows = sorted.map(({ record, us }) => {
      const momentS = (us - this.#triggeredUs) / 1e6;
      const isOwn = record.event_id === eventId;
      const button = make("button", { type: "button", class: "plain", on: { click: () => this.#seek(momentS) } },
        make("span", { class: "mono when", text: offset(momentS, 2) }),
        make("span", { class: "from" }, make("span", { class: "level", "data-level": record.level, text: record.level }), ` ${sourceOf(record)}`),
        make("span", { class: "message" }, record.message, make("span", { class: "quiet", text: ` ${factsOf(record, eventId)}` })));
      return { momentS, element: make("li", { "data-own": isOwn }, button) };
    });
    byId("logs").replaceChildren(...this.#rows.map((row) => row.element));
    byId("logs").hidden = this.#rows.length === 0;
  }
}

// The dashboard's list of the latest events, live.

import { eventPage } from "./api.js";
import { chip, make } from "./dom.js";
import { clock, counted, day, plain, toUs } from "./time.js";

const SHOWN_MAX = 12;

export class EventRows {
  #list;
  #empty;
  #events = new Map();

  constructor(list, empty) {
    this.#list = list;
    this.#empty = empty;
  }

  replace(events) {
    this.#events = new Map(events.map((event) => [event.event_id, event]));
    this.#show();
  }

  upsert(event) {
    this.#events.set(event.event_id, event);
    this.#show();
  }

  remove(eventId) {
    this.#events.delete(eventId);
    this.#show();
  }

  #show() {
    const newest = [...this.#events.values()].sort((one, other) => toUs(other.triggered_at) - toUs(one.triggered_at));
    newest.length = Math.min(newest.length, SHOWN_MAX);
    this.#events = new Map(newest.map((event) => [event.event_id, event]));
    this.#empty.hidden = newest.length > 0;
    const present = new Map([...this.#list.children].map((row) => [row.dataset.event, row]));
    newest.forEach((event, index) => {
      const signature = JSON.stringify(event);
      let row = present.get(event.event_id);
      if (!row || row.dataset.signature !== String(hash(signature))) {
        const fresh = rowOf(event);
        fresh.dataset.signature = String(hash(signature));
        if (row) replaceKeepingFocus(row, fresh);
        row = fresh;
      }
      present.delete(event.event_id);
      if (this.#list.children[index] !== row) this.#list.insertBefore(row, this.#list.children[index] ?? null);
    });
    for (const row of present.values()) row.remove();
  }
}

function rowOf(event) {
  const us = toUs(event.triggered_at);
  const today = day(Date.now() * 1000) === day(us);
  const cameras = event.clips.length === 1 ? event.clips[0].camera_id : counted(event.clips.length, "camera");
  return make(
    "li",
    { "data-event": event.event_id, "data-state": event.state },
    make("a", { href: eventPage(event.event_id) },
      make("span", { class: "when" }, make("time", { datetime: event.triggered_at, text: clock(us, 1) }), today ? null : make("span", { class: "quiet", text: day(us) })),
      make("span", { class: "what", text: `${cameras} · ${plain(event.pre_s)} + ${plain(event.post_s)} s` }),
      labelTags(event.labels)),
    make("span", { class: "states" }, ...stateChips(event)),
  );
}

export function labelTags(labels) {
  const tags = Object.entries(labels).map(([key, value]) => make("span", { class: "tag", text: value ? `${key}=${value}` : key }));
  return tags.length ? make("span", { class: "tags" }, ...tags) : null;
}

export function stateChips(event) {
  const chips = [chip(event.state)];
  const failed = event.clips.filter((clip) => clip.state === "failed").length;
  const short = event.clips.filter((clip) => clip.complete === false && clip.state !== "failed").length;
  if (failed && event.state !== "failed") chips.push(chip("failed", `${failed} failed`));
  if (short) chips.push(chip("incomplete", short === event.clips.length ? "incomplete" : `${short} incomplete`));
  return chips;
}

function replaceKeepingFocus(row, fresh) {
  const hadFocus = row.contains(document.activeElement);
  row.replaceWith(fresh);
  if (hadFocus) fresh.querySelector("a").focus();
}

function hash(text) {
  let value = 0;
  for (let index = 0; index < text.length; index += 1) value = (Math.imul(value, 31) + text.charCodeAt(index)) | 0;
  return value;
}

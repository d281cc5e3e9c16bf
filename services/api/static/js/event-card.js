// One event as a card: posters of its cameras, when, what, and what became of it.

import { eventPage } from "./api.js";
import { make } from "./dom.js";
import { labelTags, stateChips } from "./event-rows.js";
import { clock, counted, day, plain, toUs } from "./time.js";

const PLACES = 4;

export class EventCard {
  constructor(event) {
    this.element = make("li", { class: "card panel", "data-event": event.event_id });
    this.update(event);
  }

  update(event) {
    const before = this.event;
    this.event = event;
    if (before && JSON.stringify(before) === JSON.stringify(event)) return;
    const hadFocus = this.element.contains(document.activeElement);
    const us = toUs(event.triggered_at);
    const names = event.clips.map((clip) => clip.camera_id).join(", ");
    this.element.replaceChildren(
      make("a", { href: eventPage(event.event_id), "aria-label": `Event of ${day(us)} ${clock(us)}, ${names}` },
        postersOf(event),
        make("span", { class: "words" },
          make("span", { class: "when" }, make("time", { datetime: event.triggered_at, text: clock(us, 1) }), make("span", { class: "quiet", text: day(us) })),
          make("span", { class: "what", title: names, text: `${event.clips.length > 2 ? counted(event.clips.length, "camera") : names} · ${plain(event.pre_s)} + ${plain(event.post_s)} s` }))),
      make("span", { class: "foot" }, make("span", { class: "states" }, ...stateChips(event), event.protected ? make("span", { class: "tag", text: "protected" }) : null), labelTags(event.labels)),
    );
    if (hadFocus) this.element.querySelector("a").focus();
  }
}

function postersOf(event) {
  const shown = event.clips.slice(0, event.clips.length > PLACES ? PLACES - 1 : PLACES);
  const more = event.clips.length - shown.length;
  return make("span", { class: "posters", "data-count": event.clips.length },
    ...shown.map((clip) => posterOf(clip)),
    more ? make("span", { class: "no-poster", text: `and ${more} more` }) : null);
}

function posterOf(clip) {
  const poster = clip.files?.poster;
  if (poster) return make("img", { src: poster.url, alt: "", loading: "lazy", decoding: "async" });
  return make("span", { class: "no-poster", text: clip.state === "failed" ? "nothing recorded" : clip.state });
}

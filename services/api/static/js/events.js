// All events: filtered, newest first, a page at a time; the address always names what is shown.

import { cameras, events } from "./api.js";
import { byId, make, sentence, setText } from "./dom.js";
import { EventCard } from "./event-card.js";
import { Link, showRole } from "./shell.js";
import { Stream } from "./stream.js";
import { toUs } from "./time.js";

const PAGE = 24;
const FIELDS = ["camera", "label", "since", "until"];
const SETTLE_MS = 300;

const cards = new Map(); // event id → EventCard
let cursor = null;
let asked = 0;
let settling = null;

const filter = () => Object.fromEntries(FIELDS.map((name) => [name, byId(name).value.trim()]));
const isFiltered = () => Object.values(filter()).some(Boolean);
const instant = (local) => (local ? new Date(local).toISOString() : "");

function query() {
  const { camera, label, since, until } = filter();
  return { limit: PAGE, camera, label, since: instant(since), until: instant(until), cursor };
}

async function load({ isMore }) {
  const mine = (asked += 1);
  if (!isMore) cursor = null;
  byId("failed").hidden = true;
  byId("loading").hidden = cards.size > 0;
  byId("more").disabled = true;
  try {
    const page = await events(query());
    if (mine !== asked) return;
    if (!isMore) clear();
    for (const event of page.events) place(event);
    cursor = page.next_cursor ?? null;
  } catch (error) {
    if (mine !== asked) return;
    if (error.status === 503) link.recorderIsAway();
    if (!isMore) clear();
    setText(byId("failed-text"), sentence(error.message));
    byId("failed").hidden = false;
  }
  byId("loading").hidden = true;
  summarise();
}

function clear() {
  cards.clear();
  byId("cards").replaceChildren();
}

function place(event) {
  const known = cards.get(event.event_id);
  if (known) return known.update(event);
  const card = new EventCard(event);
  cards.set(event.event_id, card);
  const older = [...cards.values()]
    .filter((other) => toUs(other.event.triggered_at) < toUs(event.triggered_at))
    .sort((one, other) => toUs(other.event.triggered_at) - toUs(one.event.triggered_at))[0];
  byId("cards").insertBefore(card.element, older?.element ?? null);
  return card;
}

function summarise() {
  const more = byId("more");
  more.hidden = cursor === null;
  more.disabled = false;
  const isEmpty = cards.size === 0 && byId("failed").hidden && byId("loading").hidden;
  byId("empty").hidden = !isEmpty;
  setText(byId("empty-title"), isFiltered() ? "No event matches" : "No events yet");
  setText(byId("empty-text"), isFiltered() ? "Widen the time, or clear the filter." : "Trigger from the cameras page, or by POST /trigger from a controller. Every event is listed here, whatever became of it.");
  setText(byId("count"), cards.size ? `${cards.size}${cursor ? " newest" : ""} shown` : "");
}

function remember() {
  const given = Object.entries(filter()).filter(([, value]) => value);
  const search = new URLSearchParams(given).toString();
  history.replaceState(null, "", search ? `?${search}` : location.pathname);
}

function refilter() {
  clearTimeout(settling);
  settling = setTimeout(() => {
    remember();
    load({ isMore: false });
  }, SETTLE_MS);
}

async function offerCameras() {
  const wanted = new URLSearchParams(location.search).get("camera") ?? "";
  const ids = await cameras().then((list) => list.map((camera) => camera.camera_id), () => []);
  if (wanted && !ids.includes(wanted)) ids.push(wanted);
  byId("camera").append(...ids.map((cameraId) => make("option", { value: cameraId, text: cameraId })));
  byId("camera").value = wanted;
}

const stream = new Stream("replay=none&level=CRITICAL");
const link = new Link(stream);
stream
  .on("event", (event) => {
    // Whether a new event matches a filter is the server's to say.
    if (cards.has(event.event_id) || !isFiltered()) place(event);
    summarise();
  })
  .on("event_deleted", ({ event_id: eventId }) => {
    cards.get(eventId)?.element.remove();
    cards.delete(eventId);
    summarise();
  })
  .on("reset", () => load({ isMore: false }));
link.addEventListener("state", ({ detail: { state, before } }) => {
  if (state === "open" && (before === "lost" || before === "away")) load({ isMore: false });
});

byId("filter").addEventListener("input", refilter);
byId("filter").addEventListener("reset", () => setTimeout(refilter));
byId("filter").addEventListener("submit", (submitted) => submitted.preventDefault());
byId("more").addEventListener("click", () => load({ isMore: true }));
byId("retry").addEventListener("click", () => load({ isMore: false }));

showRole();
const given = new URLSearchParams(location.search);
for (const name of ["label", "since", "until"]) byId(name).value = given.get(name) ?? "";
await offerCameras();
load({ isMore: false });

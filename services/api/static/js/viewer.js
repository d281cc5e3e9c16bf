// The log viewer: all services in one stream. Records are gathered and drawn once a display frame, however many come.

import { byId, isTyping, make, setAttribute, setText } from "./dom.js";
import { LogList } from "./log-list.js";
import { instanceOf } from "./log-record.js";
import { KEPT_MAX, LogStore } from "./log-store.js";
import { Link, showRole } from "./shell.js";
import { Stream } from "./stream.js";
import { clock, counted, day, toUs } from "./time.js";

const CONTROLS = ["text", "service", "camera", "level", "event"];

const store = new LogStore();
const list = new LogList(byId("list"), byId("sizer"));
const cameras = new Set();
let waiting = []; // not yet in the store: of this display frame, or all since the pause
let missed = 0;
let isPaused = false;
let isPlanned = false;

function filterNow() {
  return {
    text: byId("text").value.trim().toLowerCase(),
    service: byId("service").value,
    camera: byId("camera").value,
    level: Number(byId("level").value),
    event: byId("event").value.trim(),
  };
}

function receive(record) {
  if (waiting.length >= KEPT_MAX) {
    waiting.shift();
    missed += 1;
  }
  waiting.push(record);
  plan();
}

function plan() {
  if (isPlanned) return;
  isPlanned = true;
  // A hidden tab draws no frames, and its records must not pile up.
  if (document.hidden) setTimeout(flush, 500);
  else requestAnimationFrame(flush);
}

function flush() {
  isPlanned = false;
  if (!isPaused) {
    if (missed) waiting.unshift(noticeOf(`${counted(missed, "record")} came while paused and were let go.`));
    missed = 0;
    for (const record of waiting) offerCamera(instanceOf(record));
    const left = store.add(waiting);
    waiting = [];
    list.show(store.shown, left);
  }
  summarise();
}

function noticeOf(message) {
  return { notice: true, level: "", message, time: new Date().toISOString() };
}

function offerCamera(name) {
  if (!name || cameras.has(name)) return;
  cameras.add(name);
  const after = [...byId("camera").options].slice(1).find((option) => option.value > name);
  byId("camera").insertBefore(make("option", { value: name, text: name }), after ?? null);
}

function summarise() {
  byId("nothing").hidden = store.shown.length > 0;
  setText(byId("nothing"), store.count ? "No record matches the filter." : "Waiting for log records.");
  const shown = store.shown.length === store.count ? `${counted(store.count, "record")}` : `${store.shown.length.toLocaleString("en")} of ${counted(store.count, "record")}`;
  setText(byId("tally"), isPaused ? `${shown}. Paused, ${waiting.length.toLocaleString("en")} waiting` : `${shown}${list.isFollowing ? "" : ". Scrolled back; new ones arrive below"}`);
  setAttribute(byId("jump"), "data-away", !list.isFollowing || isPaused);
}

function refilter() {
  store.setFilter(filterNow());
  list.isFollowing = true;
  list.show(store.shown);
  const given = CONTROLS.map((id) => [id, byId(id).value]).filter(([, value]) => value && value !== "0");
  const search = new URLSearchParams(given).toString();
  history.replaceState(null, "", search ? `?${search}` : location.pathname);
  summarise();
}

function pause(wish) {
  isPaused = wish;
  setAttribute(byId("pause"), "aria-pressed", isPaused);
  setText(byId("pause"), isPaused ? "Resume" : "Pause");
  plan();
}

function showDetail() {
  const record = list.chosen;
  byId("detail").hidden = !record;
  if (!record) return;
  const us = toUs(record.time);
  const entries = [["Time", `${day(us)} ${clock(us, 6)}`], ["UTC", record.time], ["Level", record.level], ["Service", record.service], ["Instance", record.instance], ...(record.key ? [["Key", record.key]] : []), ...Object.entries(record.fields ?? {})];
  const follow = record.event_id;
  byId("detail-body").replaceChildren(
    make("p", { class: "full", text: record.message }),
    make("dl", {}, ...entries.filter(([, value]) => value !== undefined && value !== null && value !== "").flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { class: "mono", text: String(value) })])),
    make("div", { class: "row" },
      follow ? make("button", { type: "button", text: "Follow this event", on: { click: () => follows(follow) } }) : "",
      follow ? make("a", { class: "button", href: `/ui/events/${encodeURIComponent(follow)}`, text: "Open event" }) : ""),
  );
}

function follows(eventId) {
  byId("event").value = eventId;
  refilter();
}

function begin() {
  const given = new URLSearchParams(location.search);
  if (given.get("camera")) offerCamera(given.get("camera"));
  for (const id of CONTROLS) if (given.get(id)) byId(id).value = given.get(id);
  store.setFilter(filterNow());
}

begin();
const stream = new Stream("replay=all");
new Link(stream);
stream
  .on("log", receive)
  .on("dropped", (notice) => receive(noticeOf(`${counted(notice?.dropped ?? 1, "message")} dropped: this page could not keep up.`)))
  .on("reset", () => receive(noticeOf("Some records may be missing here: the connection was away for longer than the server remembers.")));

for (const id of ["text", "event"]) byId(id).addEventListener("input", refilter);
for (const id of ["service", "camera", "level"]) byId(id).addEventListener("change", refilter);
byId("filter").addEventListener("submit", (submitted) => submitted.preventDefault());
byId("pause").addEventListener("click", () => pause(!isPaused));
byId("jump").addEventListener("click", () => {
  pause(false);
  list.jumpToEnd();
});
byId("clear").addEventListener("click", () => {
  byId("filter").reset();
  refilter();
});
byId("detail-close").addEventListener("click", () => {
  list.choose(null);
  byId("list").focus();
});
list.addEventListener("choose", showDetail);
list.addEventListener("follow", summarise);
document.addEventListener("keydown", (pressed) => {
  if (pressed.key === "/" && !isTyping(pressed.target)) {
    pressed.preventDefault();
    byId("text").focus();
  }
  if (pressed.key === "Escape" && list.chosen) list.choose(null);
});

showRole();

// One event: its clips in the player, its facts, its files, and the logs of its span.

import { archiveUrl, deleteEvent, endEvent, event as fetchEvent, protect, sidecar } from "./api.js";
import { clipRows } from "./clip-table.js";
import { byId, chip, isTyping, make, sentence, setAttribute, setText } from "./dom.js";
import { labelTags, stateChips } from "./event-rows.js";
import { Frames } from "./frames.js";
import { Player } from "./player.js";
import { Screen } from "./screen.js";
import { confirmed, explain, Link, notify, showRole } from "./shell.js";
import { SpanLogs } from "./span-logs.js";
import { Stream } from "./stream.js";
import { clock, day, toUs } from "./time.js";

const eventId = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1));
const LEAD_OUT_S = 3; // records of saving come after the window's end

let current = null;
let player = null;
let spanLogs = null;
let logsTimer = null;
const placed = new Map(); // camera id → what its place on the screen shows: {kind, screen?, element, frames?}
const frames = new Map(); // camera id → Frames
const unplayed = new Set(); // camera ids of clips that this browser has refused: Motion JPEG

const isProtected = () => current.protected;
const windowOf = (event) => ({ fromS: -event.pre_s, toS: event.post_s });

async function show(event) {
  const before = current;
  current = event;
  const triggeredUs = toUs(event.triggered_at);
  if (!player) begin(triggeredUs);
  document.title = `${clock(triggeredUs)} · Preroll`;
  byId("title").replaceChildren(make("time", { datetime: event.triggered_at, text: clock(triggeredUs, 3) }), make("span", { class: "quiet", text: ` ${day(triggeredUs)}` }));
  byId("states").replaceChildren(...stateChips(event));
  setText(byId("event-id"), event.event_id);
  byId("labels").replaceChildren(labelTags(event.labels) ?? "");
  setAttribute(byId("protect"), "aria-pressed", isProtected());
  setText(byId("protect"), isProtected() ? "Protected" : "Protect");
  byId("end-now").hidden = event.state !== "recording" && event.state !== "scheduled";
  byId("archive").hidden = !event.clips.some((clip) => Object.keys(clip.files ?? {}).length);
  byId("archive").href = archiveUrl(event.event_id);
  byId("logs-link").href = `/viewer?event=${encodeURIComponent(event.event_id)}`;
  byId("loading").hidden = true;
  byId("event").hidden = false;
  const { fromS, toS } = windowOf(event);
  player.setWindow(fromS, toS);
  await Promise.all(event.clips.map((clip) => readSidecar(clip, triggeredUs)));
  for (const clip of event.clips) place(clip, triggeredUs);
  drawLanes(event, triggeredUs);
  byId("clips").replaceChildren(...clipRows(event, unplayed));
  allowPlaying();
  if (!before || before.state !== event.state) planLogs(event);
}

function allowPlaying() {
  const isPossible = [...placed.values()].some((at) => at.screen);
  for (const id of ["play", "back", "forward", "to-trigger"]) byId(id).disabled = !isPossible;
}

function begin(triggeredUs) {
  player = new Player(triggeredUs);
  spanLogs = new SpanLogs(triggeredUs, (momentS) => player.seek(momentS));
  player.addEventListener("moment", () => spanLogs.mark(player.momentS));
  document.addEventListener("keydown", (pressed) => {
    if (isTyping(pressed.target) || document.querySelector("dialog[open]")) return;
    // A button has its own use for the space bar; the slider's arrows are the player's.
    if (pressed.key === " " && pressed.target.matches("button, a, summary")) return;
    if (pressed.target.matches("input[type=radio]") && pressed.key.startsWith("Arrow")) return;
    player.handleKey(pressed);
  });
}

function planLogs(event) {
  clearTimeout(logsTimer);
  const { fromS, toS } = windowOf(event);
  logsTimer = setTimeout(() => spanLogs.load(event.event_id, fromS, toS + LEAD_OUT_S), 300);
}

// Puts a clip in its place: a screen when a browser can play it, otherwise a card that says what it is.
function place(clip, triggeredUs) {
  const isPlayable = clip.state === "ready" && clip.files?.clip && !unplayed.has(clip.camera_id);
  const kind = isPlayable ? "screen" : `card ${clip.state} ${Boolean(clip.files?.poster)}`;
  const at = placed.get(clip.camera_id);
  if (at?.kind === kind || at?.kind === "unplayable") return;
  at?.screen ? player.remove(at.screen) : at?.element.remove();
  if (!isPlayable) return placeCard(clip, kind);
  const startS = clip.delivered ? (toUs(clip.delivered.from) - triggeredUs) / 1e6 : -current.pre_s;
  const screen = new Screen(clip, clip.files.clip.url, frames.get(clip.camera_id) ?? null, startS, {
    changed: player.measured,
    chosen: player.chosen,
    arrived: player.arrived,
    failed: (failed) => unplayable(clip, failed),
  });
  put(clip, { kind, screen, element: screen.element });
  player.add(screen);
}

// In the order of the event's clips, whichever is ready first.
function put(clip, at) {
  placed.set(clip.camera_id, at);
  const after = current.clips.slice(current.clips.findIndex((other) => other.camera_id === clip.camera_id) + 1);
  const next = after.map((other) => placed.get(other.camera_id)?.element).find((element) => element?.isConnected);
  byId("screens").insertBefore(at.element, next ?? null);
}

async function readSidecar(clip, triggeredUs) {
  if (!clip.files?.sidecar || frames.has(clip.camera_id) || !clip.delivered?.frames) return;
  try {
    const facts = await sidecar(clip.files.sidecar.url);
    frames.set(clip.camera_id, new Frames(facts, triggeredUs));
  } catch {
    // The clip plays without it; only the names of its frames are not known.
  }
}

function placeCard(clip, kind) {
  put(clip, { kind, element: cardOf(clip) });
}

function unplayable(clip, screen) {
  player.remove(screen);
  unplayed.add(clip.camera_id);
  put(clip, { kind: "unplayable", element: cardOf(clip) });
  allowPlaying();
  byId("clips").replaceChildren(...clipRows(current, unplayed));
}

function cardOf(clip) {
  const words = {
    scheduled: ["Scheduled", "The recording starts at its time."],
    recording: ["Recording", "The clip appears here when its window has ended."],
    saved: ["Saved, being encoded", "It is safe on disk as the camera sent it; the version for browsers follows."],
    failed: ["Nothing recorded", clip.shortfall?.join(" ") || "The camera sent no frame of this window."],
    ready: ["No browser plays this clip", "It is kept as the camera sent it (Motion JPEG in MP4). Download it for VLC or ffmpeg; the trigger frame is shown here."],
  }[clip.state];
  const poster = clip.files?.poster;
  return make("figure", { class: "screen card-screen", "data-camera": clip.camera_id, "data-state": clip.state },
    make("div", { class: "frame" },
      poster ? make("img", { src: poster.url, alt: `Trigger frame of ${clip.camera_id}` }) : null,
      make("div", { class: "over" }, make("strong", { text: words[0] }), make("span", { text: words[1] }))),
    make("figcaption", {}, make("span", { class: "name", text: clip.camera_id }), chip(clip.state)));
}

function drawLanes(event, triggeredUs) {
  player.setLanes(
    event.clips.map((clip) => {
      const { delivered } = clip;
      const known = frames.get(clip.camera_id);
      const seconds = (text) => (toUs(text) - triggeredUs) / 1e6;
      const hasFrames = delivered && delivered.frames > 0;
      return {
        cameraId: clip.camera_id,
        state: clip.state,
        lacks: clip.complete === false || clip.state === "failed" ? "" : null,
        fromS: hasFrames ? (known?.startS ?? seconds(delivered.from)) : null,
        toS: hasFrames ? (known?.endS ?? seconds(delivered.to)) : null,
        holes: known?.holes ?? [],
      };
    }),
  );
}

function gone(title, text) {
  byId("event").hidden = true;
  byId("loading").hidden = true;
  setText(byId("failed-title"), title);
  setText(byId("failed-text"), sentence(text));
  byId("failed").hidden = false;
  if (player) player.pause();
}

async function load() {
  try {
    const event = await fetchEvent(eventId);
    byId("failed").hidden = true;
    await show(event);
  } catch (error) {
    if (error.status === 503) link.recorderIsAway();
    if (error.status === 404) gone("This event does not exist", "It may have been deleted, or removed by the retention rules.");
    else if (error.status !== undefined || !current) gone("The event could not be loaded", error.message);
  }
}

async function attempt(act) {
  try {
    const answer = await act();
    if (answer?.event_id) await show(answer);
    return true;
  } catch (error) {
    explain(error);
    return false;
  }
}

byId("protect").addEventListener("click", () => attempt(() => protect(eventId, !isProtected())));
byId("end-now").addEventListener("click", () => attempt(() => endEvent(eventId)));
byId("delete").addEventListener("click", async () => {
  const count = current.clips.length;
  const text = `${count === 1 ? "Its clip is" : `Its ${count} clips are`} removed from disk. This cannot be undone.`;
  if (!(await confirmed("Delete this event?", text, "Delete event"))) return;
  if (await attempt(() => deleteEvent(eventId))) location.assign("/ui/events");
});
byId("copy").addEventListener("click", async () => {
  const address = location.origin + location.pathname;
  try {
    await navigator.clipboard.writeText(address);
    notify("Link copied.");
  } catch {
    // Without TLS a browser gives no access to the clipboard.
    notify(make("span", {}, "Copy this link: ", make("code", { text: address })), "stays");
  }
});

const stream = new Stream("replay=none&level=CRITICAL");
const link = new Link(stream);
stream
  .on("event", (event) => event.event_id === eventId && show(event))
  .on("event_deleted", ({ event_id: deleted }) => deleted === eventId && gone("This event has been deleted", "Its clips are no longer on disk."))
  .on("reset", load);
link.addEventListener("state", ({ detail: { state, before } }) => {
  if (state === "open" && (before === "lost" || before === "away")) load();
});

showRole();
load();

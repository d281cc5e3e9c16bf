// The dashboard: cameras, triggers, latest events and health, fed by one stream.

import { cameras, events, forgetCamera, status as askStatus } from "./api.js";
import { Doctor } from "./doctor.js";
import { byId, setAttribute, setText } from "./dom.js";
import { EventRows } from "./event-rows.js";
import { Health } from "./health.js";
import { Rewind } from "./rewind.js";
import { confirmed, explain, Link, showRole } from "./shell.js";
import { Stream } from "./stream.js";
import { Tile } from "./tile.js";
import { TriggerForm } from "./trigger.js";

const SUSPENDED = { lost: "Connection lost", away: "Recorder away" };

const known = new Map(); // camera id → its last description
const tiles = new Map();
let ringWindowS = null;

const rows = new EventRows(byId("events"), byId("events-empty"));
const health = new Health(byId("health"));
const doctor = new Doctor(byId("doctor"));
const form = new TriggerForm((event) => rows.upsert(event));
const rewind = new Rewind(form);
const stream = new Stream("replay=none&level=CRITICAL");
const link = new Link(stream);

const actions = {
  trigger: (cameraId) => form.fire({ cameras: [cameraId] }),
  rewind: (cameraId) => rewind.open(known.get(cameraId)),
  forget: async (cameraId) => {
    const text = "It disappears from this page and from “all cameras”. Its clips stay. It comes back when it sends frames again.";
    if (!(await confirmed(`Forget ${cameraId}?`, text, "Forget camera"))) return;
    try {
      await forgetCamera(cameraId);
      drop(cameraId);
    } catch (error) {
      explain(error);
    }
  },
};

function show(camera) {
  camera = { ...known.get(camera.camera_id), ...camera };
  known.set(camera.camera_id, camera);
  let tile = tiles.get(camera.camera_id);
  if (!tile) {
    tile = new Tile(camera.camera_id, actions);
    tiles.set(camera.camera_id, tile);
    const after = [...tiles.keys()].sort().find((cameraId) => cameraId > camera.camera_id);
    byId("tiles").insertBefore(tile.element, after ? tiles.get(after).element : null);
  }
  tile.update(camera, ringWindowS);
  rewind.update(camera);
}

function drop(cameraId) {
  tiles.get(cameraId)?.close();
  tiles.delete(cameraId);
  known.delete(cameraId);
  summarise();
}

function showAll(list) {
  for (const cameraId of [...known.keys()]) if (!list.some((camera) => camera.camera_id === cameraId)) drop(cameraId);
  for (const camera of list) show(camera);
  byId("cameras-loading").hidden = true;
  summarise();
}

function summarise() {
  const all = [...known.values()];
  const ready = all.filter((camera) => camera.state === "live" && camera.ring_s + 0.2 >= camera.wanted_s).length;
  byId("cameras-empty").hidden = all.length > 0 || link.state !== "open" || !byId("cameras-loading").hidden;
  byId("cameras-away").hidden = all.length > 0 || link.state !== "away";
  const isShown = all.length > 0 && link.state === "open";
  setText(byId("readiness"), !isShown ? "" : ready === all.length ? (all.length === 1 ? "A trigger now would be complete" : `A trigger now would be complete on all ${all.length}`) : `A trigger now would be complete on ${ready} of ${all.length}`);
  setAttribute(byId("readiness"), "data-kind", ready === all.length ? "good" : "warn");
  form.isPossible = all.length > 0 && link.state !== "away" && link.state !== "lost";
}

function showHealth(figures) {
  ringWindowS = figures.ring_window_s;
  health.update(figures);
}

async function load() {
  await Promise.all([loadCameras(), loadEvents()]);
}

async function loadCameras() {
  try {
    const [{ recorder }, list] = await Promise.all([askStatus(), cameras()]);
    if (recorder) showHealth(recorder);
    showAll(list);
  } catch (error) {
    refused(error);
  }
  byId("cameras-loading").hidden = true;
  summarise();
}

async function loadEvents() {
  try {
    rows.replace((await events({ limit: 12 })).events);
    byId("events-away").hidden = true;
  } catch (error) {
    byId("events-away").hidden = byId("events").children.length > 0;
    refused(error);
  }
  byId("events-loading").hidden = true;
}

// What the state of the link says already needs no message of its own.
function refused(error) {
  if (error.status === 503) link.recorderIsAway();
  else if (error.status !== undefined) explain(error);
}

stream
  .on("camera", (camera) => {
    show(camera);
    summarise();
    doctor.ask();
  })
  .on("status", (status) => {
    showHealth(status.recorder);
    showAll(status.cameras);
  })
  .on("event", (event) => rows.upsert(event))
  .on("event_deleted", ({ event_id: eventId }) => rows.remove(eventId))
  .on("reset", load);

link.addEventListener("state", ({ detail: { state, before } }) => {
  if (SUSPENDED[state]) {
    for (const tile of tiles.values()) tile.suspend(SUSPENDED[state]);
    health.away(state);
  } else if (state === "open" && SUSPENDED[before]) load();
  doctor.ask();
  summarise();
});

showRole();
doctor.ask();
load();

// Requests to the API. Every refusal becomes a `Refused`, whose message is fit to be shown.

export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code ?? null;
  }
}

// The network, or the API itself, is away.
export class Unreachable extends Error {}

export function toSignIn() {
  const here = location.pathname + location.search;
  location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
}

export async function fetchOk(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(15_000), ...options });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Unreachable("Preroll does not answer. Is the API running, and the network up?", { cause: error });
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== "/session") toSignIn();
  throw new Refused(response.status, await problemOf(response));
}

async function problemOf(response) {
  try {
    const body = await response.json();
    return typeof body === "object" && body !== null ? body : {};
  } catch {
    return {};
  }
}

async function json(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const response = await fetchOk(path, options);
  return response.status === 204 ? null : response.json();
}

const id = encodeURIComponent;

export const session = () => json("GET", "/session");
export const signIn = (key) => json("POST", "/session", { key });
export const signOut = () => json("DELETE", "/session");
export const cameras = async () => listIn(await json("GET", "/cameras"), "cameras");
export const diagnosis = () => json("GET", "/doctor");
export const status = () => json("GET", "/status");
export const forgetCamera = (cameraId) => json("DELETE", `/cameras/${id(cameraId)}`);
export const trigger = (request) => json("POST", "/trigger", request);
export const event = (eventId) => json("GET", `/events/${id(eventId)}`);
export const deleteEvent = (eventId) => json("DELETE", `/events/${id(eventId)}`);
export const endEvent = (eventId) => json("PATCH", `/events/${id(eventId)}`, { post_s: 0 });
export const protect = (eventId, isProtected) =>
  json("PUT", `/events/${id(eventId)}/protection`, { protected: isProtected });
export const events = (query) => json("GET", `/events?${parameters(query)}`);
export const logs = async (query) => listIn(await json("GET", `/logs/history?${parameters(query)}`), "records");
export const sidecar = (url) => json("GET", url);
export const archiveUrl = (eventId) => `/events/${id(eventId)}/archive.zip`;
export const eventPage = (eventId) => `/ui/events/${id(eventId)}`;
export const snapshotUrl = (cameraId) => `/cameras/${id(cameraId)}/snapshot.jpg`;
export const frameUrl = (cameraId, query) => `/cameras/${id(cameraId)}/frames?${parameters(query)}`;

function parameters(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return new URLSearchParams(given).toString();
}

const listIn = (answer, name) => (Array.isArray(answer) ? answer : (answer[name] ?? []));

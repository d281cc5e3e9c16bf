// The page's one stream of server-sent events: logs, events, cameras and status, by type. It reconnects by itself.

import { session, toSignIn } from "./api.js";

const TYPES = ["log", "event", "event_deleted", "camera", "status", "dropped", "reset"];
const SILENT_MS = 45_000;

export class Stream extends EventTarget {
  #source = null;
  #path;
  #retryMs = 1_000;
  #heardAt = 0;
  state = "connecting";
  lostAt = null;

  constructor(path = "/logs") {
    super();
    this.#path = path;
    this.#open();
    setInterval(() => this.#noticeSilence(), 5_000);
    addEventListener("online", () => this.state === "lost" && this.#open());
    addEventListener("pagehide", () => this.#source?.close());
    addEventListener("pageshow", (shown) => shown.persisted && this.#open());
  }

  on(type, listener) {
    this.addEventListener(type, (message) => listener(message.detail));
    return this;
  }

  #open() {
    this.#source?.close();
    const source = new EventSource(this.#path);
    this.#source = source;
    source.addEventListener("open", () => {
      this.#heardAt = performance.now();
      this.#retryMs = 1_000;
      this.#become("open");
    });
    source.addEventListener("error", () => this.#fail(source));
    for (const type of TYPES) source.addEventListener(type, (message) => this.#tell(type, message));
  }

  #tell(type, message) {
    this.#heardAt = performance.now();
    let data = null;
    try {
      data = JSON.parse(message.data || "null");
    } catch {
      return;
    }
    this.dispatchEvent(new CustomEvent(type, { detail: data }));
  }

  #fail(source) {
    this.#become("lost");
    if (source.readyState !== EventSource.CLOSED) return;
    // Closed for good by the browser: an answer that was no stream, such as 401 or 503.
    setTimeout(() => this.#source === source && this.#reopen(), this.#retryMs);
    this.#retryMs = Math.min(10_000, this.#retryMs * 2);
  }

  async #reopen() {
    try {
      await session();
    } catch (error) {
      if (error.status === 401) return toSignIn();
    }
    this.#open();
  }

  // The server sends a keep-alive or a status far more often than this; a cut cable sends nothing at all.
  #noticeSilence() {
    if (this.state === "open" && performance.now() - this.#heardAt > SILENT_MS) {
      this.#become("lost");
      this.#open();
    }
  }

  #become(state) {
    if (this.state === state) return;
    const before = this.state;
    this.state = state;
    this.lostAt = state === "lost" ? (this.lostAt ?? Date.now()) : null;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, before } }));
  }
}

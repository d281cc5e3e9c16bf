// The page's one stream of server-sent events: logs, events, cameras and status, by type. It reconnects by itself.

import { session, toSignIn } from "./api.js";

const TYPES = ["log", "event", "event_deleted", "camera", "status", "dropped", "reset"];
const SILENT_MS = 45_000;

export class Stream extends EventTarget {
  #source = null;
  #path;
  #retryMs = 1_000;
  #heardAt = 0;
  #last = { life: "", number: -1 };
  state = "connecting";
  lostAt = null;

  // `search` chooses what is sent: which log records (all other kinds always come), and whether what the server
  // remembers comes first (replay=all) or only what is new (replay=none).
  constructor(search) {
    super();
    this.#path = `/logs?${search}`;
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
    if (type !== "reset" && type !== "dropped" && !this.#isNew(message.lastEventId)) return;
    let data = null;
    try {
      data = JSON.parse(message.data || "null");
    } catch {
      return;
    }
    this.dispatchEvent(new CustomEvent(type, { detail: data }));
  }

  // A stream that had to be opened anew repeats what the server remembers.
  #isNew(id) {
    const dash = id.lastIndexOf("-");
    const [life, number] = [id.slice(0, dash), Number(id.slice(dash + 1))];
    if (dash < 0 || !Number.isInteger(number)) return true;
    if (life === this.#last.life && number <= this.#last.number) return false;
    this.#last = { life, number };
    return true;
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

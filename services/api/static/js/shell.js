// What every page has around its content: who is signed in, the state of the link, banners and notices.

import { session, signOut, toSignIn } from "./api.js";
import { byId, make, setAttribute, setText } from "./dom.js";
import { clock } from "./time.js";

const STATUS_LATE_MS = 5_000;
const LINK_WORDS = { open: "Live", connecting: "Connecting", lost: "Connection lost", away: "Recorder away" };

export async function showRole() {
  try {
    const { role } = await session();
    document.documentElement.dataset.role = role;
    byId("sign-out").hidden = role === "anonymous";
    byId("role").textContent = role === "look" ? "Viewing only" : "";
  } catch (error) {
    if (error.status === 401) toSignIn();
  }
  byId("sign-out").addEventListener("click", async () => {
    await signOut();
    toSignIn();
  });
}

// Shows the stream's state, and notices when the recorder stops sending its status though the stream is open.
export class Link extends EventTarget {
  #stream;
  #heardAt = 0;
  #openedAt = null;
  #isRefused = false;
  state = "connecting";

  constructor(stream) {
    super();
    this.#stream = stream;
    stream.on("status", () => this.#hear());
    stream.on("state", () => this.#judge());
    setInterval(() => this.#judge(), 1_000);
    this.#judge();
  }

  // Called when a request was answered with 503: there is no need to wait for the status to be late.
  recorderIsAway() {
    this.#isRefused = true;
    this.#judge();
  }

  #hear() {
    this.#isRefused = false;
    this.#heardAt = performance.now();
    this.#judge();
  }

  #judge() {
    const now = performance.now();
    if (this.#stream.state !== "open") this.#openedAt = null;
    else this.#openedAt ??= now;
    const state = this.#stream.state === "open" ? this.#recorderState(now) : this.#stream.state;
    if (state !== this.state) {
      const before = this.state;
      this.state = state;
      this.dispatchEvent(new CustomEvent("state", { detail: { state, before } }));
    }
    const shown = byId("link-state");
    setAttribute(shown, "data-state", state);
    setText(shown, LINK_WORDS[state]);
    this.#showBanner(state);
  }

  #recorderState(now) {
    const isLate = now - Math.max(this.#heardAt, this.#openedAt) > STATUS_LATE_MS;
    return this.#isRefused || isLate ? "away" : "open";
  }

  #showBanner(state) {
    const banner = byId("banner");
    const isBad = state === "lost" || state === "away";
    if (isBad && banner.dataset.state !== state) {
      const at = clock((this.#stream.lostAt ?? Date.now()) * 1000);
      const [title, text] =
        state === "lost"
          ? ["Connection lost.", `What you see is from ${at}. Trying to reconnect; recording goes on without this page.`]
          : ["The recorder does not answer.", "Triggers are refused until it is back; this page then goes on by itself. Clips on disk are safe."];
      banner.replaceChildren(make("strong", { text: title }), make("span", { text }));
    }
    banner.dataset.state = state;
    banner.hidden = !isBad;
  }
}

// A short message in the corner; a refusal stays until it is closed.
export function notify(content, kind = "good") {
  const close = make("button", { type: "button", class: "plain", "aria-label": "Close message", text: "Close" });
  const notice = make("div", { class: "notice", "data-kind": kind }, make("div", {}, content), close);
  close.addEventListener("click", () => notice.remove());
  byId("notices").append(notice);
  if (kind === "good") setTimeout(() => notice.remove(), 8_000);
}

export const explain = (error) => notify(error.message, "bad");

// Asks before something that cannot be undone. Resolves to whether the person agreed.
export function confirmed(title, text, action) {
  return new Promise((resolve) => {
    const yes = make("button", { type: "submit", value: "yes", class: "danger", text: action });
    const no = make("button", { type: "submit", value: "no", autofocus: true, text: "Cancel" });
    const form = make("form", { method: "dialog" }, make("h2", { text: title, id: "asks" }), make("p", { text }));
    form.append(make("div", { class: "row" }, no, yes));
    const dialog = make("dialog", { "aria-labelledby": "asks" }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Keeps one picture fresh by polling, about twice a second, and only while somebody can see it.

import { fetchOk, snapshotUrl } from "./api.js";
import { Picture } from "./picture.js";

const PERIOD_MS = 500;

export class Snapshots {
  #cameraId;
  #picture;
  #told;
  #isSeen = false;
  #isWanted = false;
  #timer = null;
  #isAsking = false;
  #observer;

  // `told(frame)` is called with {runId, seq, time} of every new picture.
  constructor(cameraId, image, told) {
    this.#cameraId = cameraId;
    this.#picture = new Picture(image);
    this.#told = told;
    this.#observer = new IntersectionObserver((entries) => {
      this.#isSeen = entries.at(-1).isIntersecting;
      this.#plan(0);
    });
    this.#observer.observe(image.parentElement);
    this.onVisible = () => this.#plan(0);
    document.addEventListener("visibilitychange", this.onVisible);
  }

  // A camera that sends nothing is not asked for pictures.
  want(isWanted) {
    if (isWanted === this.#isWanted) return;
    this.#isWanted = isWanted;
    this.#plan(0);
  }

  close() {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    this.#observer.disconnect();
    document.removeEventListener("visibilitychange", this.onVisible);
    this.#picture.clear();
  }

  #plan(afterMs) {
    clearTimeout(this.#timer);
    if (this.#isWanted && this.#isSeen && !document.hidden && !this.#isAsking) {
      this.#timer = setTimeout(() => this.#ask(), afterMs);
    }
  }

  async #ask() {
    this.#isAsking = true;
    let afterMs = PERIOD_MS;
    try {
      const response = await fetchOk(snapshotUrl(this.#cameraId));
      const blob = await response.blob();
      if (this.#isWanted) {
        await this.#picture.show(blob);
        this.#told(nameOf(response));
      }
    } catch {
      afterMs = 4 * PERIOD_MS;
    }
    this.#isAsking = false;
    this.#plan(afterMs);
  }
}

// The name of the very frame that an answer carries.
export function nameOf(response) {
  const headers = response.headers;
  return {
    runId: headers.get("X-Preroll-Run-Id"),
    seq: Number(headers.get("X-Preroll-Seq")),
    time: headers.get("X-Preroll-Time"),
    oldest: headers.get("X-Preroll-Oldest"),
    newest: headers.get("X-Preroll-Newest"),
  };
}

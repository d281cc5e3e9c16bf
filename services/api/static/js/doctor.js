// What is wrong, and what to do about it: a box that is there only when something is.

import { diagnosis } from "./api.js";
import { chip, make, sentence, setAttribute, setText } from "./dom.js";

const EVERY_MS = 15_000;

export class Doctor {
  #element;
  #list;
  #title;
  #shown = "";
  #timer = null;
  #isAsking = false;

  constructor(element) {
    this.#element = element;
    this.#title = element.querySelector("h2");
    this.#list = element.querySelector("ul");
    document.addEventListener("visibilitychange", () => document.hidden || this.ask());
  }

  // Now, and from then on every few seconds while somebody can see it. One question at a time: a browser has six
  // connections to one host, and while the recorder is away each question holds one for seconds.
  async ask() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    clearTimeout(this.#timer);
    try {
      this.#show(await diagnosis());
    } catch {
      // The page says by itself that the API is away; what was found last stays.
    }
    this.#isAsking = false;
    if (!document.hidden) this.#timer = setTimeout(() => this.ask(), EVERY_MS);
  }

  #show({ state, findings }) {
    const wrong = findings.filter((finding) => finding.state !== "ok");
    this.#element.hidden = wrong.length === 0;
    setAttribute(this.#element, "data-state", state);
    setText(this.#title, state === "problem" ? "Something is wrong" : "Something needs a look");
    const told = JSON.stringify(wrong);
    if (told === this.#shown) return;
    this.#shown = told;
    this.#list.replaceChildren(...wrong.map(row));
  }
}

function row({ subject, state, said, advice }) {
  return make(
    "li",
    { "data-subject": subject },
    chip(state),
    make("strong", { text: sentence(subject) }),
    make("span", { class: "said", text: sentence(said) + "." }),
    advice && make("span", { class: "advice quiet", text: sentence(advice) + "." }),
  );
}

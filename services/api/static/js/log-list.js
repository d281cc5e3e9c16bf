// A list of any number of records of which only the visible rows exist. One row is one option of a listbox.

import { make, setAttribute, setText } from "./dom.js";
import { factsOf, instanceOf } from "./log-record.js";
import { clock, toUs } from "./time.js";

const SPARE_ROWS = 8;

export class LogList extends EventTarget {
  #element;
  #sizer;
  #rows = [];
  #records = [];
  #chosen = null;
  #rowHeight = 24;
  isFollowing = true;

  constructor(element, sizer) {
    super();
    this.#element = element;
    this.#sizer = sizer;
    this.#measure();
    new ResizeObserver(() => {
      this.#measure();
      this.show(this.#records);
    }).observe(element);
    element.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    element.addEventListener("click", (clicked) => this.#clicked(clicked));
    element.addEventListener("keydown", (pressed) => this.#key(pressed));
  }

  get chosen() {
    return this.#chosen;
  }

  // `leftAtTop` rows have gone from the old end: the view stays on what is being read.
  show(records, leftAtTop = 0) {
    this.#records = records;
    setStyleHeight(this.#sizer, records.length * this.#rowHeight);
    if (this.isFollowing) this.#element.scrollTop = this.#element.scrollHeight;
    else if (leftAtTop) this.#element.scrollTop -= leftAtTop * this.#rowHeight;
    this.draw();
  }

  jumpToEnd() {
    this.isFollowing = true;
    this.#element.scrollTop = this.#element.scrollHeight;
    this.draw();
    this.dispatchEvent(new Event("follow"));
  }

  choose(record) {
    this.#chosen = record;
    this.draw();
    this.dispatchEvent(new Event("choose"));
  }

  draw() {
    const { scrollTop, clientHeight } = this.#element;
    const first = Math.max(0, Math.floor(scrollTop / this.#rowHeight) - SPARE_ROWS);
    const count = Math.min(this.#records.length - first, Math.ceil(clientHeight / this.#rowHeight) + 2 * SPARE_ROWS);
    while (this.#rows.length < count) this.#addRow();
    let active = "";
    this.#rows.forEach((row, index) => {
      const record = index < count ? this.#records[first + index] : undefined;
      row.element.hidden = !record;
      if (!record) return;
      row.element.style.transform = `translateY(${(first + index) * this.#rowHeight}px)`;
      setAttribute(row.element, "aria-setsize", this.#records.length);
      setAttribute(row.element, "aria-posinset", first + index + 1);
      setAttribute(row.element, "aria-selected", record === this.#chosen);
      if (record === this.#chosen) active = row.element.id;
      if (row.record !== record) fill(row, record);
      row.index = first + index;
    });
    if (active) setAttribute(this.#element, "aria-activedescendant", active);
    else this.#element.removeAttribute("aria-activedescendant");
  }

  #measure() {
    this.#rowHeight = Number.parseFloat(getComputedStyle(this.#element).getPropertyValue("--row-px")) || 24;
    setStyleHeight(this.#sizer, this.#records.length * this.#rowHeight);
  }

  #addRow() {
    const part = (name) => make("span", { class: name });
    const row = { when: part("when mono"), level: part("level"), from: part("from"), message: part("message"), facts: part("facts mono") };
    row.text = make("span", { class: "text" }, row.message, row.facts);
    row.element = make("div", { class: "log-row", role: "option", id: `row-${this.#rows.length}`, "aria-selected": "false" }, row.when, row.level, row.from, row.text);
    this.#rows.push(row);
    this.#sizer.append(row.element);
  }

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#element;
    const isAtEnd = scrollTop + clientHeight >= scrollHeight - this.#rowHeight;
    if (isAtEnd !== this.isFollowing) {
      this.isFollowing = isAtEnd;
      this.dispatchEvent(new Event("follow"));
    }
    this.draw();
  }

  #clicked(clicked) {
    const element = clicked.target.closest(".log-row");
    const row = this.#rows.find((other) => other.element === element);
    if (row) this.choose(row.record);
  }

  #key(pressed) {
    const last = this.#records.length - 1;
    const at = this.#chosen ? this.#records.indexOf(this.#chosen) : last + 1;
    const page = Math.max(1, Math.floor(this.#element.clientHeight / this.#rowHeight) - 1);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, PageUp: at - page, PageDown: at + page, Home: 0, End: last }[pressed.key];
    if (to === undefined || last < 0 || pressed.ctrlKey || pressed.altKey || pressed.metaKey) return;
    pressed.preventDefault();
    const index = Math.min(last, Math.max(0, to));
    this.#reveal(index);
    this.choose(this.#records[index]);
  }

  #reveal(index) {
    const top = index * this.#rowHeight;
    const { scrollTop, clientHeight } = this.#element;
    if (top < scrollTop) this.#element.scrollTop = top;
    else if (top + this.#rowHeight > scrollTop + clientHeight) this.#element.scrollTop = top + this.#rowHeight - clientHeight;
  }
}

function fill(row, record) {
  row.record = record;
  setAttribute(row.element, "data-level", record.level ?? "");
  row.element.toggleAttribute("data-notice", Boolean(record.notice));
  setText(row.when, record.time ? clock((record.us ??= toUs(record.time)), 3) : "");
  setText(row.level, record.level ?? "");
  setText(row.from, record.notice ? "" : [record.service, instanceOf(record)].filter(Boolean).join(" "));
  setText(row.message, record.message);
  setText(row.facts, factsOf(record));
}

const setStyleHeight = (element, px) => element.style.setProperty("height", `${px}px`);

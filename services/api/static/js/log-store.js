// The viewer's memory of records: bounded, with a filtered view that is kept up record by record. Pure.

import { passes } from "./log-record.js";

export const KEPT_MAX = 50_000;
const LET_GO = 5_000; // at a time: moving an array for every record would cost more than the records

export class LogStore {
  #all = [];
  #filter = {};
  shown = [];

  get count() {
    return this.#all.length;
  }

  setFilter(filter) {
    this.#filter = filter;
    this.shown = this.#all.filter((record) => passes(record, filter));
  }

  // Returns how many shown records left at the old end.
  add(records) {
    for (const record of records) {
      this.#all.push(record);
      if (passes(record, this.#filter)) this.shown.push(record);
    }
    if (this.#all.length <= KEPT_MAX) return 0;
    const gone = new Set(this.#all.splice(0, this.#all.length - KEPT_MAX + LET_GO));
    const before = this.shown.length;
    let first = 0;
    while (first < this.shown.length && gone.has(this.shown[first])) first += 1;
    this.shown.splice(0, first);
    return before - this.shown.length;
  }
}

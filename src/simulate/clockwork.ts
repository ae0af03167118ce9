/**
 * What happens next: a queue of things to do in the order of their times.
 *
 * @module
 */

interface Due {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A binary heap; equal times keep the order in which they were set. */
export class Clockwork {
  readonly #heap: Due[] = [];
  #order = 0;
  #now: number;

  constructor(startsAt: number) {
    this.#now = startsAt;
  }

  get now(): number {
    return this.#now;
  }

  /** Runs `run` at `at`, or now when that has passed. */
  at(at: number, run: () => void): void {
    const due = { at: Math.max(at, this.#now), order: this.#order++, run };
    this.#heap.push(due);
    this.#rise(this.#heap.length - 1);
  }

  /** Runs everything up to `end`. */
  runUntil(end: number): void {
    for (let due = this.#heap[0]; due !== undefined; due = this.#heap[0]) {
      if (due.at > end) break;
      this.#take();
      this.#now = due.at;
      due.run();
    }
    this.#now = Math.max(this.#now, end);
  }

  #take(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #isBefore(a: number, b: number): boolean {
    const x = this.#heap[a];
    const y = this.#heap[b];
    if (x === undefined || y === undefined) return x !== undefined;
    return x.at < y.at || (x.at === y.at && x.order < y.order);
  }

  #swap(a: number, b: number): void {
    const x = this.#heap[a];
    const y = this.#heap[b];
    if (x === undefined || y === undefined) return;
    this.#heap[a] = y;
    this.#heap[b] = x;
  }

  #rise(index: number): void {
    let place = index;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(place, parent)) return;
      this.#swap(place, parent);
      place = parent;
    }
  }

  #sink(index: number): void {
    let place = index;
    while (true) {
      const left = 2 * place + 1;
      const right = left + 1;
      let first = place;
      if (left < this.#heap.length && this.#isBefore(left, first)) first = left;
      if (right < this.#heap.length && this.#isBefore(right, first)) {
        first = right;
      }
      if (first === place) return;
      this.#swap(place, first);
      place = first;
    }
  }
}

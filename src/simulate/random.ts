/**
 * Seeded random numbers for simulated work.
 *
 * @module
 */

/** A stream of numbers; equal seeds give equal streams. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 0x9e3779b9 + 0x7f4a7c15) >>> 0;
  }

  /** Returns a number in [0, 1), by mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let value = this.#state;
    value = Math.imul(value ^ (value >>> 15), value | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  }

  uniform(min: number, max: number): number {
    return min + (max - min) * this.next();
  }

  /** Returns a whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number {
    return Math.floor(this.uniform(min, max + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Returns a log-normal number; `sigma` is the spread of its logarithm. */
  around(median: number, sigma: number): number {
    const u = Math.max(1e-12, this.next());
    const normal = Math.sqrt(-2 * Math.log(u)) *
      Math.cos(2 * Math.PI * this.next());
    return median * Math.exp(sigma * normal);
  }

  /**
   * Returns an independent stream, so that one part of a workload does not
   * shift another.
   */
  fork(): Random {
    return new Random(Math.floor(this.next() * 2 ** 31));
  }
}

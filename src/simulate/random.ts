/**
 * Random numbers that a seed decides, for simulated work.
 *
 * @module
 */

/** A stream of numbers; the same seed gives the same stream. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 0x9e3779b9 + 0x7f4a7c15) >>> 0;
  }

  /** Uniform in [0, 1): mulberry32. */
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

  /** A whole number from `min` to `max`, both possible. */
  whole(min: number, max: number): number {
    return Math.floor(this.uniform(min, max + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Log-normal with that median; `sigma` is the spread of its logarithm. */
  around(median: number, sigma: number): number {
    const u = Math.max(1e-12, this.next());
    const normal = Math.sqrt(-2 * Math.log(u)) *
      Math.cos(2 * Math.PI * this.next());
    return median * Math.exp(sigma * normal);
  }

  /** A stream of its own, so that one part of a workload does not move another. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 2 ** 31));
  }
}

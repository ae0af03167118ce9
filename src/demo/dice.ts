/**
 * Seeded chance for the demo: equal seeds give equal tokens, words and faults.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Entropy } from "../ports.ts";

/** Returns the first `length` hex digits of the sha256 of `parts`. */
export function digest(
  parts: readonly (string | Uint8Array)[],
  length = 64,
): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, length);
}

/** A seeded {@linkcode Entropy} with further draws for generators. */
export class Dice implements Entropy {
  readonly #seed: string;
  #state: readonly [number, number, number, number];

  constructor(seed: string | number) {
    this.#seed = String(seed);
    const hash = createHash("sha256").update(this.#seed).digest();
    this.#state = [
      hash.readUInt32LE(0),
      hash.readUInt32LE(4),
      hash.readUInt32LE(8),
      hash.readUInt32LE(12),
    ];
  }

  /**
   * Returns independent dice for `label`, so that throws here do not affect
   * throws there.
   */
  fork(label: string | number): Dice {
    return new Dice(`${this.#seed}/${label}`);
  }

  random(): number {
    return this.#next() / 2 ** 32;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.#next() >>> 24);
  }

  uuid(): string {
    const hex = this.hex(32);
    const variant = "89ab"[this.integer(0, 3)] ?? "8";
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-` +
      `${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  }

  hex(length: number): string {
    let text = "";
    while (text.length < length) {
      text += this.#next().toString(16).padStart(8, "0");
    }
    return text.slice(0, length);
  }

  /** Returns a whole number from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** Returns one of `choices`, which must not be empty. */
  pick<Choice>(choices: readonly [Choice, ...Choice[]]): Choice {
    return choices[this.integer(0, choices.length - 1)] ?? choices[0];
  }

  /**
   * Returns the next number of the sfc32 generator: small, fast, passes
   * PractRand.
   */
  #next(): number {
    const [a, b, c, counter] = this.#state;
    const sum = (a + b + counter) | 0;
    this.#state = [
      b ^ (b >>> 9),
      (c + (c << 3)) | 0,
      (((c << 21) | (c >>> 11)) + sum) | 0,
      (counter + 1) | 0,
    ];
    return sum >>> 0;
  }
}

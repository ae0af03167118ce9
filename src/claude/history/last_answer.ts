/**
 * The last answer that a transcript stated. One answer stands on a line for each
 * of its blocks, and those lines say the same of it outside of their content.
 *
 * @module
 */

import type { LineParts } from "./transcript_line.ts";

/** Longer ones are not compared. */
const BYTES_MAX = 16 * 1024;

export class LastAnswer {
  /** What the last answer's line said before its content and after it. */
  readonly #kept = new Uint8Array(BYTES_MAX);
  #messageLength = 0;
  /** 0 if there is none to compare with. */
  #length = 0;
  #isSidechain = false;

  /** Returns whether the line says nothing new of the last answer. */
  isRepeatedBy(line: Uint8Array, parts: LineParts): boolean {
    const { message, content, rest, end, isSidechain } = parts;
    const messageLength = content - message;
    return isSidechain === this.#isSidechain &&
      messageLength === this.#messageLength &&
      messageLength + end - rest === this.#length &&
      this.#isKept(line, message, content, 0) &&
      this.#isKept(line, rest, end, messageLength);
  }

  remember(line: Uint8Array, parts: LineParts): void {
    const { message, content, rest, end, isSidechain } = parts;
    const messageLength = content - message;
    const length = messageLength + end - rest;
    if (end < 0 || length > BYTES_MAX) return this.forget();
    this.#kept.set(line.subarray(message, content));
    this.#kept.set(line.subarray(rest, end), messageLength);
    this.#messageLength = messageLength;
    this.#length = length;
    this.#isSidechain = isSidechain;
  }

  forget(): void {
    this.#length = 0;
  }

  #isKept(line: Uint8Array, from: number, to: number, keptAt: number): boolean {
    const kept = this.#kept;
    for (let at = from; at < to; at++) {
      if (line[at] !== kept[keptAt + at - from]) return false;
    }
    return true;
  }
}

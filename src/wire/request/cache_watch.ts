/**
 * Wire room: what is noticed anywhere in a request body, while it is walked
 * for other things.
 *
 * @module
 */

import {
  BROKEN,
  isObjectAt,
  memberAt,
  memberValueAt,
  shortTextAt,
  startsWithAt,
  type StringWatch,
} from "./json_scan.ts";

/** A shorter `data` string is no picture. */
const MEDIA_BYTES_MIN = 1_024;

/**
 * A cache mark has a few dozen bytes. Marks nested in marks would else be
 * walked over and over.
 */
const MARK_BYTES_MAX = 512;

/** Sees cache marks and pictures at any depth while other things are looked for. */
export class CacheWatch implements StringWatch {
  isHour = false;
  mediaCount = 0;
  mediaBytes = 0;
  #dataAt = BROKEN;

  string(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (start === this.#dataAt) {
      if (length < MEDIA_BYTES_MIN) return;
      this.mediaCount++;
      this.mediaBytes += length - 2;
    } else if (length === 6 && startsWithAt(bytes, start, '"data"')) {
      this.#dataAt = memberValueAt(bytes, end);
    } else if (length === 15 && startsWithAt(bytes, start, '"cache_control"')) {
      const valueAt = memberValueAt(bytes, end);
      if (valueAt === BROKEN || !isObjectAt(bytes, valueAt)) return;
      const mark = bytes.subarray(0, valueAt + MARK_BYTES_MAX);
      if (shortTextAt(mark, memberAt(mark, valueAt, "ttl")) === "1h") {
        this.isHour = true;
      }
    }
  }
}

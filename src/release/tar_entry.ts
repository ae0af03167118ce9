/**
 * One file out of a release's `.tar.gz`, without a program for it.
 *
 * @module
 */

import { gunzipSync } from "node:zlib";

const BLOCK_BYTES = 512;
const ARCHIVE_BYTES_MAX = 512 * 1024 * 1024;

/** The bytes of the regular file `name` at the top of the archive, or null. */
export function tarEntry(
  archive: Uint8Array,
  name: string,
): Uint8Array | null {
  const tar = gunzipSync(archive, { maxOutputLength: ARCHIVE_BYTES_MAX });
  for (let at = 0; at + BLOCK_BYTES <= tar.length;) {
    const header = tar.subarray(at, at + BLOCK_BYTES);
    const found = text(header, 0, 100).replace(/^\.\//, "");
    if (found === "") return null;
    const size = Number.parseInt(text(header, 124, 12).trim(), 8);
    if (!Number.isSafeInteger(size) || size < 0) return null;
    const start = at + BLOCK_BYTES;
    const type = text(header, 156, 1);
    if (found === name && (type === "0" || type === "")) {
      const end = start + size;
      return end <= tar.length
        ? new Uint8Array(tar.subarray(start, end))
        : null;
    }
    at = start + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return null;
}

function text(block: Uint8Array, from: number, length: number): string {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

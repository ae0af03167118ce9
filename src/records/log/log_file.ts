/**
 * Log lines into a file: bounded while the server runs, made anew where it was
 * moved or removed, and gone on with when a full disk has room again.
 *
 * @module
 */

import { dirname } from "node:path";
import { systemCode } from "../../store/files/file_target.ts";
import { openOwnSync } from "../../store/files/own_files.ts";
import { gapLine, type LossCount } from "./log_loss.ts";

/** A larger file is kept as `<file>.1`, and a new one begins. */
export const LOG_BYTES_MAX = 10 * 1024 * 1024;

/** What a disk says that is full, of a quota too, or read-only for a while. */
const NO_ROOM = ["ENOSPC", "EDQUOT", "EROFS"];

/** So often at most it is looked whether the file is where it was. */
const LOOK_MS = 1_000;

export class LogFile {
  readonly #path: string;
  readonly #loss: LossCount;
  readonly #encoder = new TextEncoder();
  #file: Deno.FsFile | null = null;
  #lookAtMs = 0;
  /** A line broke off in the middle: the next one begins on its own. */
  #isTorn = false;

  /** Throws where there can be no such file; a full disk may have room later. */
  constructor(path: string, loss: LossCount) {
    this.#path = path;
    this.#loss = loss;
    try {
      this.#file = open(path);
    } catch (cause) {
      if (!NO_ROOM.includes(systemCode(cause) ?? "")) throw cause;
    }
  }

  write(line: string): void {
    try {
      const file = this.#opened();
      if (this.#isTorn) writeWhole(file, this.#encoder.encode("\n"));
      this.#isTorn = true;
      writeWhole(file, this.#encoder.encode(line));
      this.#isTorn = false;
      const lost = this.#loss.over();
      if (lost > 0) writeWhole(file, this.#encoder.encode(gapLine(lost)));
    } catch (cause) {
      this.#loss.add(1, cause);
    }
  }

  close(): Promise<void> {
    this.#file?.close();
    this.#file = null;
    return Promise.resolve();
  }

  #opened(): Deno.FsFile {
    const now = performance.now();
    if (this.#file !== null && now >= this.#lookAtMs) {
      this.#lookAtMs = now + LOOK_MS;
      if (!isThere(this.#file, this.#path) || isLarge(this.#path)) {
        this.#file.close();
        this.#file = null;
      }
    }
    this.#file ??= open(this.#path);
    return this.#file;
  }
}

function open(path: string): Deno.FsFile {
  Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (isLarge(path)) setAside(path);
  return openOwnSync(path, { append: true });
}

function isLarge(path: string): boolean {
  try {
    return Deno.statSync(path).size > LOG_BYTES_MAX;
  } catch {
    return false;
  }
}

function setAside(path: string): void {
  try {
    Deno.renameSync(path, `${path}.1`);
  } catch {
    // Another server of this pool was quicker, or holds it open on Windows.
  }
}

/** Whether `file` is what stands at `path`: a file removed can be written to. */
function isThere(file: Deno.FsFile, path: string): boolean {
  try {
    const [now, then] = [Deno.statSync(path), file.statSync()];
    return now.ino === then.ino && now.dev === then.dev;
  } catch {
    return false;
  }
}

function writeWhole(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += file.writeSync(bytes.subarray(done));
  }
}

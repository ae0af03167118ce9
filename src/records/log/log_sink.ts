/**
 * Writes the log lines of a server to a bounded file, journald or stderr. A line
 * that cannot be written is counted; it never ends or delays the server.
 *
 * @module
 */

import type { Environment } from "../../system/paths.ts";
import { type LogForm, type LogRecord, logText } from "./journal.ts";
import { dirname } from "node:path";
import { systemCode } from "../../store/files/file_target.ts";
import { openOwnSync } from "../../store/files/own_files.ts";
import { reasonOf } from "../../errors.ts";

export interface LogSink {
  /** How its lines look. */
  readonly form: LogForm;
  write(record: LogRecord): void;
  /** Writes `count` lines of {@linkcode form}, each with its end. */
  writeLines(text: string, count: number): void;
  /**
   * Calls `tell` when lines are lost; with null when none are lost any more.
   */
  watch(tell: (loss: LogLoss | null) => void): void;
  /** Waits a moment for lines that are being written. */
  close(): Promise<void>;
}

/** Discards all lines. */
export const NO_LOG: LogSink = {
  form: "none",
  write: () => {},
  writeLines: () => {},
  watch: () => {},
  close: () => Promise.resolve(),
};

/** Returns the sink that `file` and the environment ask for. */
export function logSink(
  file: string | null,
  environment: Environment,
): LogSink {
  const loss = new LossCount(file ?? "stderr");
  const isJournald = file === null && Boolean(environment["JOURNAL_STREAM"]) &&
    !Deno.stderr.isTerminal();
  const form = isJournald ? "journald" : "logfmt";
  const target = file === null
    ? new LogStream(Deno.stderr, loss)
    : new LogFile(file, loss);
  return {
    form,
    write: (record) => target.write(logText(record, form), 1),
    writeLines: (text, count) => target.write(text, count),
    watch: (tell) => loss.watch(tell),
    close: async () => {
      await target.close();
      loss.close();
    },
  };
}

/** A larger file is renamed to `<file>.1`, and a new one begins. */
export const LOG_BYTES_MAX = 10 * 1024 * 1024;

/** Errors of a disk that is full, over quota or temporarily read-only. */
const NO_ROOM = ["ENOSPC", "EDQUOT", "EROFS"];

/** Shortest interval between checks that the file is still in place. */
const LOOK_MS = 1_000;

export class LogFile {
  readonly #path: string;
  readonly #loss: LossCount;
  readonly #encoder = new TextEncoder();
  #file: Deno.FsFile | null = null;
  #lookAtMs = 0;
  /**
   * Whether a line was written partially; the next one then starts a new line.
   */
  #isTorn = false;

  /**
   * Throws if the file cannot be created; a full disk is not an error, it may
   * have room later.
   */
  constructor(path: string, loss: LossCount) {
    this.#path = path;
    this.#loss = loss;
    try {
      this.#file = open(path);
    } catch (cause) {
      if (!NO_ROOM.includes(systemCode(cause) ?? "")) throw cause;
    }
  }

  /** Writes `text`, which holds `count` lines. */
  write(text: string, count = 1): void {
    try {
      const file = this.#opened();
      if (this.#isTorn) writeWhole(file, this.#encoder.encode("\n"));
      this.#isTorn = true;
      writeWhole(file, this.#encoder.encode(text));
      this.#isTorn = false;
      const lost = this.#loss.over();
      if (lost > 0) writeWhole(file, this.#encoder.encode(gapLine(lost)));
    } catch (cause) {
      this.#loss.add(count, cause);
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
    // Another server of this pool has rotated it, or holds it open on Windows.
  }
}

/**
 * Returns whether `file` is the file at `path`: a removed file can still be
 * written to.
 */
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

const LINES_MAX = 2_000;
const CLOSE_MS_MAX = 500;

interface ByteTarget {
  write(bytes: Uint8Array): Promise<number>;
}

export class LogStream {
  readonly #target: ByteTarget;
  readonly #loss: LossCount;
  readonly #encoder = new TextEncoder();
  #waiting: string[] = [];
  #lines = 0;
  #work: Promise<void> | null = null;

  constructor(target: ByteTarget, loss: LossCount) {
    this.#target = target;
    this.#loss = loss;
  }

  /** Writes `text`, which holds `count` lines, when its reader takes it. */
  write(text: string, count = 1): void {
    if (this.#lines >= LINES_MAX) {
      this.#loss.add(count, "its reader takes no more");
      return;
    }
    this.#waiting.push(text);
    this.#lines += count;
    this.#work ??= this.#writeAll().finally(() => {
      this.#work = null;
    });
  }

  /**
   * Waits until everything is written, but not for a reader that takes nothing.
   */
  async close(): Promise<void> {
    if (this.#work === null) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS_MAX);
    await Promise.race([this.#work, late]);
    clearTimeout(timer);
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join("");
      const count = this.#lines;
      this.#waiting = [];
      this.#lines = 0;
      try {
        await this.#write(text);
        const lost = this.#loss.over();
        if (lost > 0) await this.#write(gapLine(lost));
      } catch (cause) {
        this.#loss.add(count, cause);
      }
    }
  }

  async #write(text: string): Promise<void> {
    let bytes = this.#encoder.encode(text);
    while (bytes.length > 0) {
      bytes = bytes.subarray(await this.#target.write(bytes));
    }
  }
}

/** Log lines that could not be written. */
export interface LogLoss {
  readonly where: string;
  readonly reason: string;
  readonly lines: number;
}

/** Shortest interval between reports of a growing loss. */
const TELL_MS = 1_000;

export class LossCount {
  readonly #where: string;
  #lines = 0;
  #reason: string | null = null;
  #tell: ((loss: LogLoss | null) => void) | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `where` names the destination of the lines. */
  constructor(where: string) {
    this.#where = where;
  }

  watch(tell: (loss: LogLoss | null) => void): void {
    this.#tell = tell;
    if (this.#reason !== null) this.#say();
  }

  /** Counts lines that are lost because of `cause`. */
  add(lines: number, cause: unknown): void {
    const isNew = this.#reason === null;
    this.#lines += lines;
    this.#reason = reasonOf(cause);
    if (isNew) this.#say();
    else this.#timer ??= setTimeout(() => this.#say(), TELL_MS);
  }

  /** Ends the loss. Returns how many lines were lost since the last call. */
  over(): number {
    if (this.#reason === null) return 0;
    const lines = this.#lines;
    this.#lines = 0;
    this.#reason = null;
    this.#say();
    return lines;
  }

  close(): void {
    this.#tell = null;
    this.#stopTimer();
  }

  #say(): void {
    this.#stopTimer();
    this.#tell?.(
      this.#reason === null ? null : {
        where: this.#where,
        reason: this.#reason,
        lines: this.#lines,
      },
    );
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** Returns the line that replaces `lines` missing lines. */
function gapLine(lines: number): string {
  return `${lines} log line${
    lines === 1 ? "" : "s"
  } could not be written here\n`;
}

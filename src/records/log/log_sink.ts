/**
 * Writes the log lines of a server to a bounded file, journald or stderr. A line
 * that cannot be written is counted; it never ends or delays the server.
 *
 * @module
 */

import type { Environment } from "../../system/paths.ts";
import { journaldLine, logLine, type LogRecord } from "./journal.ts";
import { dirname } from "node:path";
import { systemCode } from "../../store/files/file_target.ts";
import { openOwnSync } from "../../store/files/own_files.ts";
import { reasonOf } from "../../errors.ts";

export interface LogSink {
  write(record: LogRecord): void;
  /** From here on `tell` hears of lines that are lost; null: no more are. */
  watch(tell: (loss: LogLoss | null) => void): void;
  /** Waits a moment for the lines that are on their way. */
  close(): Promise<void>;
}

/** Takes lines for nobody. */
export const NO_LOG: LogSink = {
  write: () => {},
  watch: () => {},
  close: () => Promise.resolve(),
};

/** The sink that `file` and the environment ask for. */
export function logSink(
  file: string | null,
  environment: Environment,
): LogSink {
  const loss = new LossCount(file ?? "stderr");
  const isJournald = file === null && Boolean(environment["JOURNAL_STREAM"]) &&
    !Deno.stderr.isTerminal();
  const textOf = isJournald ? journaldLine : logLine;
  const target = file === null
    ? new LogStream(Deno.stderr, loss)
    : new LogFile(file, loss);
  return {
    write: (record) => target.write(`${textOf(record)}\n`),
    watch: (tell) => loss.watch(tell),
    close: async () => {
      await target.close();
      loss.close();
    },
  };
}

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
  #work: Promise<void> | null = null;

  constructor(target: ByteTarget, loss: LossCount) {
    this.#target = target;
    this.#loss = loss;
  }

  write(line: string): void {
    if (this.#waiting.length >= LINES_MAX) {
      this.#loss.add(1, "its reader takes no more");
      return;
    }
    this.#waiting.push(line);
    this.#work ??= this.#writeAll().finally(() => {
      this.#work = null;
    });
  }

  /** Waits until all is written, but not for a reader that takes nothing. */
  async close(): Promise<void> {
    if (this.#work === null) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS_MAX);
    await Promise.race([this.#work, late]);
    clearTimeout(timer);
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(lines.join(""));
        const lost = this.#loss.over();
        if (lost > 0) await this.#write(gapLine(lost));
      } catch (cause) {
        this.#loss.add(lines.length, cause);
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

/** Log lines that could not be written to where they should go. */
export interface LogLoss {
  readonly where: string;
  readonly reason: string;
  readonly lines: number;
}

/** It is told of a growing loss so often at most. */
const TELL_MS = 1_000;

export class LossCount {
  readonly #where: string;
  #lines = 0;
  #reason: string | null = null;
  #tell: ((loss: LogLoss | null) => void) | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `where` names the place that lines should go to. */
  constructor(where: string) {
    this.#where = where;
  }

  watch(tell: (loss: LogLoss | null) => void): void {
    this.#tell = tell;
    if (this.#reason !== null) this.#say();
  }

  /** Lines that are lost for `cause`. */
  add(lines: number, cause: unknown): void {
    const isNew = this.#reason === null;
    this.#lines += lines;
    this.#reason = reasonOf(cause);
    if (isNew) this.#say();
    else this.#timer ??= setTimeout(() => this.#say(), TELL_MS);
  }

  /** Lines go through again; how many were lost until now since the last time. */
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

/** The line that stands where `lines` of them are missing. */
function gapLine(lines: number): string {
  return `${lines} log line${
    lines === 1 ? "" : "s"
  } could not be written here\n`;
}

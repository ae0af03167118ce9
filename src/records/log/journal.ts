/**
 * Structured log lines: logfmt with a time for files and terminals, priority
 * prefixes instead of times where journald reads. The server's thread writes
 * them out and sends them in batches as one text: a message for each line, or a
 * copy of its fields, would cost much of a request's time.
 *
 * @module
 */

import { inert } from "../../core/plain_text.ts";
import type { Instant } from "../../core/time.ts";
import type { Clock, Journal, LogFields, LogLevel } from "../../ports.ts";

/** One line before it is written. */
export interface LogRecord {
  readonly at: Instant;
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

const RANK: Readonly<Record<LogLevel, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
};

/** syslog priorities, as journald reads them at the start of a line. */
const PRIORITY: Readonly<Record<LogLevel, string>> = {
  debug: "<7>",
  info: "<6>",
  warn: "<4>",
  error: "<3>",
};

/** Returns a journal that passes records of at least `least` to `sink`. */
export function journalTo(
  sink: (record: LogRecord) => void,
  clock: Clock,
  least: LogLevel,
): Journal {
  // `least` may come from another thread. V8 compiles a look-up by such a string,
  // throws the code away at the first call and compiles it again, for ever.
  const leastRank = RANK[least];
  return {
    log(level, event, fields): void {
      if (RANK[level] < leastRank) return;
      sink({ at: clock.now(), level, event, fields });
    },
  };
}

/** How the lines of a log look; "none" where nobody reads them. */
export type LogForm = "logfmt" | "journald" | "none";

/** `2026-11-21T12:30:40Z info  request  session=5f2c91 status=200`. */
export function logLine(record: LogRecord): string {
  const time = `${new Date(record.at).toISOString().slice(0, -5)}Z`;
  return `${time} ${record.level.padEnd(5)} ${record.event.padEnd(8)} ${
    logFields(record.fields)
  }`.trimEnd();
}

/** Returns a line for journald, which adds the time itself. */
export function journaldLine(record: LogRecord): string {
  return `${PRIORITY[record.level]}${record.event} ${logFields(record.fields)}`
    .trimEnd();
}

/** Returns the line of `record` in `form`, its end included; "" for none. */
export function logText(record: LogRecord, form: LogForm): string {
  if (form === "none") return "";
  return `${form === "logfmt" ? logLine(record) : journaldLine(record)}\n`;
}

function logFields(fields: LogFields): string {
  let text = "";
  for (const name in fields) {
    const value = fields[name];
    if (value === null || value === undefined) continue;
    const shown = typeof value === "string" ? quoted(value) : String(value);
    text += text === "" ? `${name}=${shown}` : ` ${name}=${shown}`;
  }
  return text;
}

/** Numbers as the log writes them. */
const NUMBER = /^-?\d{1,15}(\.\d{1,15})?$/;
const FIELD = /([^\s=]+)=("[^"]*"|[^\s"]*)/g;

/** Returns a line of {@linkcode logLine} as an object; text alone if it is not one. */
export function parsedLine(line: string): Readonly<Record<string, unknown>> {
  const match = /^(\S+Z) +(debug|info|warn|error) +(\S+) ?(.*)$/.exec(line);
  if (match === null) return { text: line };
  const [, at, level, event, rest = ""] = match;
  const fields = [...rest.matchAll(FIELD)].map(([, name = "", value = ""]) => {
    const text = value.startsWith('"') ? value.slice(1, -1) : value;
    return [name, NUMBER.test(value) ? Number(value) : text] as const;
  });
  return { at, level, event, ...Object.fromEntries(fields) };
}

function quoted(value: string): string {
  const text = inert(value, "?");
  if (text === "") return "-";
  return /[\s="]/.test(text) ? `"${text.replaceAll('"', "'")}"` : text;
}

/**
 * How long lines wait for others, unless one reports a problem. Each batch wakes
 * the thread that writes it, which costs more than the lines.
 */
const WAIT_MS = 200;

/** This many are sent at once, whatever the time. */
const LINES_MAX = 200;

/** Log events that report a bug of tc. */
const FAULT_EVENTS: readonly string[] = ["fault", "stray"];

/** Returns whether `record` reports a bug of tc. */
export function isFault({ event }: LogRecord): boolean {
  return FAULT_EVENTS.includes(event);
}

/** Lines that travel together. */
export interface LogLines {
  /** The lines, each with its end. */
  readonly text: string;
  readonly count: number;
  /** Those that report a bug of tc, which are kept in a file of their own. */
  readonly faults: readonly LogRecord[];
}

/** Collects lines and sends them in batches. */
export class LogBatch {
  readonly #post: (lines: LogLines) => void;
  #form: LogForm = "logfmt";
  #text = "";
  #count = 0;
  #faults: LogRecord[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(post: (lines: LogLines) => void) {
    this.#post = post;
  }

  /** Writes lines in `form` from now on. */
  use(form: LogForm): void {
    this.#form = form;
  }

  /**
   * Adds a line; warnings and errors are sent at once, with all earlier lines.
   */
  readonly add = (record: LogRecord): void => {
    if (this.#form === "none" && !isFault(record)) return;
    this.#text += logText(record, this.#form);
    this.#count++;
    if (isFault(record)) this.#faults.push(record);
    const isUrgent = record.level === "warn" || record.level === "error";
    if (isUrgent || this.#count >= LINES_MAX) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WAIT_MS);
  };

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#count === 0) return;
    const lines = {
      text: this.#text,
      count: this.#count,
      faults: this.#faults,
    };
    this.#text = "";
    this.#count = 0;
    this.#faults = [];
    this.#post(lines);
  }
}

/**
 * Structured log lines: logfmt with a time for files and terminals, priority
 * prefixes instead of times where journald reads. They travel from the worker in
 * batches, because a message for each would cost much of a request's time.
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
  return {
    log(level, event, fields): void {
      if (RANK[level] < RANK[least]) return;
      sink({ at: clock.now(), level, event, fields });
    },
  };
}

/** `2026-11-21T12:30:40Z info  request  session=5f2c91 status=200`. */
export function logLine(record: LogRecord): string {
  const time = new Date(record.at).toISOString().replace(/\.\d+Z$/, "Z");
  return `${time} ${record.level.padEnd(5)} ${record.event.padEnd(8)} ${
    logFields(record.fields)
  }`.trimEnd();
}

/** Returns a line for journald, which adds the time itself. */
export function journaldLine(record: LogRecord): string {
  return `${PRIORITY[record.level]}${record.event} ${logFields(record.fields)}`
    .trimEnd();
}

function logFields(fields: LogFields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${quoted(String(value))}`)
    .join(" ");
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

/** How long lines wait for others, unless one reports a problem. */
const WAIT_MS = 50;

/** This many are sent at once, whatever the time. */
const RECORDS_MAX = 200;

export class LogBatch {
  readonly #post: (records: readonly LogRecord[]) => void;
  #records: LogRecord[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(post: (records: readonly LogRecord[]) => void) {
    this.#post = post;
  }

  /**
   * Adds a line; warnings and errors are sent at once, with all earlier lines.
   */
  readonly add = (record: LogRecord): void => {
    this.#records.push(record);
    const isUrgent = record.level === "warn" || record.level === "error";
    if (isUrgent || this.#records.length >= RECORDS_MAX) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WAIT_MS);
  };

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#records.length === 0) return;
    const records = this.#records;
    this.#records = [];
    this.#post(records);
  }
}

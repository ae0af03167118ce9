/**
 * Where log lines of a server go: a bounded file, journald or stderr.
 *
 * @module
 */

import type { Environment } from "../app/paths.ts";
import { journaldLine, logLine, type LogRecord } from "../app/journal.ts";

export type LogSink = (record: LogRecord) => void;

/** A larger file is kept as `<file>.1` when the next server begins. */
const LOG_BYTES_MAX = 10 * 1024 * 1024;

/** The sink that `file` and the environment ask for. */
export function logSink(
  file: string | null,
  environment: Environment,
): LogSink {
  if (file !== null) return toFile(file);
  const isJournald = Boolean(environment["JOURNAL_STREAM"]) &&
    !Deno.stderr.isTerminal();
  const line = isJournald ? journaldLine : logLine;
  return (record) => write(Deno.stderr, line(record));
}

function toFile(file: string): LogSink {
  keepBounded(file);
  const opened = Deno.openSync(file, {
    create: true,
    append: true,
    mode: 0o600,
  });
  return (record) => write(opened, logLine(record));
}

function keepBounded(file: string): void {
  try {
    if (Deno.statSync(file).size > LOG_BYTES_MAX) {
      Deno.renameSync(file, `${file}.1`);
    }
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
}

const encoder = new TextEncoder();

/** A log that cannot be written must not end the server. */
function write(
  target: { writeSync(bytes: Uint8Array): number },
  line: string,
): void {
  try {
    target.writeSync(encoder.encode(`${line}\n`));
  } catch {
    // Closed stderr, full disk: there is no place left to say so.
  }
}

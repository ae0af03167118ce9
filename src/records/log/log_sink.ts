/**
 * Where log lines of a server go: a bounded file, journald or stderr. A line
 * that cannot be written never ends or holds up the server: it is counted.
 *
 * @module
 */

import type { Environment } from "../../system/paths.ts";
import { journaldLine, logLine, type LogRecord } from "./journal.ts";
import { LogFile } from "./log_file.ts";
import { type LogLoss, LossCount } from "./log_loss.ts";
import { LogStream } from "./log_stream.ts";

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

/**
 * The faults that a server caught and survived, in a small file of the state
 * folder. `tc doctor` reads it: the log of a server may be anywhere.
 *
 * @module
 */

import { join } from "node:path";
import { isFault, logLine, type LogRecord } from "./journal.ts";
import { openOwnSync } from "../../store/files/own_files.ts";
import type { Paths } from "../../system/paths.ts";

/** When the file is longer, only the newest lines are kept. */
const BYTES_MAX = 64 * 1024;
const KEPT_LINES = 20;

interface CaughtFault {
  /** The first words of the line: its time. */
  readonly at: string;
  readonly text: string;
}

function fileIn({ stateFolder }: Paths): string {
  return join(stateFolder, "faults.log");
}

/** Stores `record` if it reports a fault. Never throws: the log has it too. */
export function keepFault(paths: Paths, record: LogRecord): void {
  if (!isFault(record)) return;
  try {
    const file = fileIn(paths);
    if (sizeOf(file) > BYTES_MAX) {
      const lines = Deno.readTextFileSync(file).split("\n");
      Deno.removeSync(file);
      append(file, lines.slice(-KEPT_LINES - 1).join("\n"));
    }
    append(file, `${logLine(record)}\n`);
  } catch {
    // A full or read-only disk.
  }
}

function append(file: string, text: string): void {
  using opened = openOwnSync(file, { append: true });
  opened.writeSync(new TextEncoder().encode(text));
}

function sizeOf(file: string): number {
  try {
    return Deno.statSync(file).size;
  } catch {
    // There is no file yet.
    return 0;
  }
}

/** Returns the faults that were caught, oldest first. */
export function readFaults(paths: Paths): readonly CaughtFault[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(fileIn(paths));
  } catch {
    // No fault was caught so far.
    return [];
  }
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const [at = "", ...rest] = line.split(" ");
    const fault = /fault="?([^"]*)/.exec(rest.join(" "))?.[1];
    return { at, text: fault ?? rest.join(" ") };
  });
}

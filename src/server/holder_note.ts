/**
 * Who has the pool: a line beside the server's lock, for whoever finds it
 * taken. The lock decides; this only names its holder.
 *
 * @module
 */

import { join } from "node:path";
import * as v from "valibot";
import { writeNew } from "../store/files/own_files.ts";

const NOTE_FILE = "server.json";

const NOTE = v.object({
  pid: v.number(),
  version: v.string(),
  origin: v.string(),
});

/** The server that holds a pool. */
export type Holder = v.InferOutput<typeof NOTE>;

/**
 * Names `holder` as the one who has the pool in `stateFolder`. Without a pause,
 * so that nobody sees the lock of one server with the name of another; a folder
 * that cannot be written costs the name alone.
 */
export function writeHolder(stateFolder: string, holder: Holder): void {
  const file = join(stateFolder, NOTE_FILE);
  try {
    const fresh = `${file}.${holder.pid}`;
    writeNew(fresh, `${JSON.stringify(holder)}\n`);
    Deno.renameSync(fresh, file);
  } catch {
    // Who comes next is told that somebody has the pool, and not who.
  }
}

/** Who was last to take the pool in `stateFolder`, or null. */
export function readHolder(stateFolder: string): Holder | null {
  try {
    const text = Deno.readTextFileSync(join(stateFolder, NOTE_FILE));
    const note = v.safeParse(NOTE, JSON.parse(text));
    return note.success ? note.output : null;
  } catch {
    return null;
  }
}

/** Takes the name of `pid` away, if it still stands there. */
export function removeHolder(stateFolder: string, pid: number): void {
  if (readHolder(stateFolder)?.pid !== pid) return;
  try {
    Deno.removeSync(join(stateFolder, NOTE_FILE));
  } catch {
    // A folder that is gone or full: the lock is free all the same.
  }
}

/**
 * Writes whole texts to stdout or stderr. A closed pipe is ignored: its reader
 * has what it wanted.
 *
 * @module
 */

import { fileError } from "../store/files/file_target.ts";

const encoder = new TextEncoder();

/**
 * Writes all of `text`. Throws TcError if stdout fails, for example on a full
 * disk. Errors of stderr are ignored: there is nowhere to report them.
 */
export function printTo(
  stream: { writeSync(bytes: Uint8Array): number },
  text: string,
): void {
  let bytes = encoder.encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
  } catch (cause) {
    // EIO: the terminal is gone.
    const isGone = cause instanceof Deno.errors.BrokenPipe ||
      cause instanceof Error && "code" in cause && cause.code === "EIO";
    if (isGone || stream === Deno.stderr) return;
    throw fileError("write the output", cause);
  }
}

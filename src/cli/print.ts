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
    if (isReaderGone(cause) || stream === Deno.stderr) return;
    throw fileError("write the output", cause);
  }
}

/** What Windows says of a pipe that nobody reads: 109, 232 and 233. */
const CLOSED_PIPE = /\(os error (109|232|233)\)/;

/** Whether `cause` means that the reader of the output, or the terminal, is gone. */
export function isReaderGone(cause: unknown): boolean {
  if (cause instanceof Deno.errors.BrokenPipe) return true;
  if (!(cause instanceof Error)) return false;
  // EIO: the terminal is gone.
  const isTerminal = "code" in cause && cause.code === "EIO";
  return isTerminal || CLOSED_PIPE.test(cause.message);
}

/**
 * Text to stdout or stderr, whole; of a reader that went away no word is said.
 *
 * @module
 */

const encoder = new TextEncoder();

/** Writes all of `text`. A pipe without a reader takes nothing, and is no error. */
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
    if (!isGone) throw cause;
  }
}

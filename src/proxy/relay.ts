/**
 * The data plane: passes an answer's body on and says once how it ended.
 *
 * @module
 */

import type { UpstreamBody } from "../ports.ts";

/** How the relay of one body ended. */
export type RelayEnd =
  | { readonly kind: "complete" }
  | { readonly kind: "upstream_failed"; readonly cause: unknown }
  | { readonly kind: "client_gone" };

/**
 * `body` as a stream, byte for byte. It reads only when the client takes, so a
 * slow client slows the upstream and memory stays bounded. A body that broke
 * errors the stream, so the client sees a broken transfer and never a clean end.
 *
 * `tap` looks at each chunk when the client has taken it, so it holds up nobody;
 * when it throws it is not asked again. `onEnd` is called exactly once, after
 * the tap has seen all, and must not throw.
 */
export function relay(
  body: UpstreamBody,
  tap: ((chunk: Uint8Array) => void) | null,
  onEnd: (end: RelayEnd) => void,
): ReadableStream<Uint8Array> {
  let watching = tap;
  let untapped: Uint8Array | null = null;
  let isEnded = false;

  function showToTap(): void {
    const chunk = untapped;
    untapped = null;
    if (chunk === null || watching === null) return;
    try {
      watching(chunk);
    } catch {
      // What it counts is unknown from here on; the bytes go on.
      watching = null;
    }
  }

  function end(how: RelayEnd): void {
    if (isEnded) return;
    isEnded = true;
    showToTap();
    onEnd(how);
  }

  return new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      try {
        const reading = body.read();
        showToTap();
        const chunk = await reading;
        // A cancel settles the read under way; the stream is shut by then.
        if (isEnded) return;
        if (chunk !== null) {
          controller.enqueue(chunk);
          untapped = chunk;
          return;
        }
        controller.close();
        end({ kind: "complete" });
      } catch (cause) {
        if (isEnded) return;
        controller.error(cause);
        end({ kind: "upstream_failed", cause });
      }
    },
    cancel(): void {
      body.cancel();
      end({ kind: "client_gone" });
    },
  }, { highWaterMark: 0 });
}

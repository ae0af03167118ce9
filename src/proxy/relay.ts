/**
 * The data plane: passes an answer's body on and says once how it ended.
 *
 * @module
 */

import type { UpstreamBody } from "../ports.ts";
import type { AnswerBody } from "../http/response.ts";

/** How the relay of one body ended. */
export type RelayEnd =
  | { readonly kind: "complete" }
  | { readonly kind: "upstream_failed"; readonly cause: unknown }
  | { readonly kind: "client_gone" };

/** Who is told of what goes by. */
export interface RelayWatch {
  /**
   * Looks at each chunk when the client has taken it, so it holds up nobody;
   * when it throws it is not asked again.
   */
  readonly tap: ((chunk: Uint8Array) => void) | null;
  /** Called exactly once, after the tap has seen all; must not throw. */
  readonly onEnd: (end: RelayEnd) => void;
}

/**
 * `body` byte for byte. It reads only when the client takes, so a slow client
 * slows the upstream and memory stays bounded. A body that broke rejects the
 * read, so the client sees a broken transfer and never a clean end.
 */
export function relay(
  body: UpstreamBody,
  { tap, onEnd }: RelayWatch,
): AnswerBody {
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

  return {
    async read(): Promise<Uint8Array | null> {
      try {
        const reading = body.read();
        showToTap();
        const chunk = await reading;
        // A cancel settles the read under way; nobody takes it by then.
        if (isEnded) return null;
        untapped = chunk;
        if (chunk === null) end({ kind: "complete" });
        return chunk;
      } catch (cause) {
        end({ kind: "upstream_failed", cause });
        throw cause;
      }
    },
    cancel(): void {
      body.cancel();
      end({ kind: "client_gone" });
    },
  };
}

/**
 * The data plane: passes an answer's body on and says once how it ended.
 *
 * @module
 */

import type { UpstreamBody } from "../ports.ts";
import type { Patience } from "./patience.ts";

/** How the relay of one body ended. */
export type RelayEnd =
  | { readonly kind: "complete" }
  | { readonly kind: "upstream_failed"; readonly cause: unknown }
  | { readonly kind: "client_gone" };

/** Who is told of what goes by, and how long the client may take nothing. */
export interface RelayWatch {
  /**
   * Looks at each chunk when the client has taken it, so it holds up nobody;
   * when it throws it is not asked again.
   */
  readonly tap: ((chunk: Uint8Array) => void) | null;
  /** Called exactly once, after the tap has seen all; must not throw. */
  readonly onEnd: (end: RelayEnd) => void;
  readonly patience: Patience;
}

/**
 * `body` as a stream, byte for byte. It reads only when the client takes, so a
 * slow client slows the upstream and memory stays bounded. A body that broke
 * errors the stream, so the client sees a broken transfer and never a clean end.
 * A client that takes nothing for too long is one that has gone.
 */
export function relay(
  body: UpstreamBody,
  { tap, onEnd, patience }: RelayWatch,
): ReadableStream<Uint8Array> {
  let watching = tap;
  let untapped: Uint8Array | null = null;
  let isEnded = false;
  let stuck: ReadableStreamDefaultController<Uint8Array> | null = null;

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
    patience.forget(giveUp);
    showToTap();
    onEnd(how);
  }

  function giveUp(): void {
    stuck?.error(new Error("the client takes nothing of its answer"));
    body.cancel();
    end({ kind: "client_gone" });
  }

  return new ReadableStream<Uint8Array>({
    start(controller): void {
      stuck = controller;
    },
    async pull(controller): Promise<void> {
      patience.forget(giveUp);
      try {
        const reading = body.read();
        showToTap();
        const chunk = await reading;
        // A cancel settles the read under way; the stream is shut by then.
        if (isEnded) return;
        if (chunk !== null) {
          controller.enqueue(chunk);
          untapped = chunk;
          patience.watch(giveUp);
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

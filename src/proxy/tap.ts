/**
 * The observer of an answer: it sees a copy of each chunk after the client got
 * it, inflates where the body is compressed, and meters the usage. It never
 * delays or alters a byte, and its own failure is nobody's business.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Transform } from "node:stream";
import type { TokenUsage } from "../core/usage.ts";
import { inflaterFor } from "../http/inflate.ts";
import { type MeterReading, UsageMeter } from "../wire/answer/usage.ts";

/** What the tap saw, once the answer has ended. */
export interface Tap {
  push(chunk: Uint8Array): void;
  /** What was counted by now; cheap, and null for what is no stream. */
  soFar(): TokenUsage | null;
  /** Resolves when the last bytes are inflated; call once, after the end. */
  finish(): Promise<MeterReading>;
}

/** Compressed bytes waiting for the inflater; beyond it the tap gives up. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

/**
 * What is metered of a compressed answer. The longest real answer has some ten
 * million bytes; a provider's 1.5 MB can inflate to 512 MB.
 */
const PLAIN_BYTES_MAX = 32 * 1024 * 1024;
/** Text compresses 20 to 1 at best; beyond this it is made to cost time. */
const RATIO_MAX = 200;
/** A short answer of few different bytes may compress better. */
const PLAIN_BYTES_FREE = 1024 * 1024;

/** A tap for an answer with these headers. */
export function tapFor(contentType: string, contentEncoding: string): Tap {
  const meter = new UsageMeter(contentType);
  const isStream = contentType.startsWith("text/event-stream");
  const soFar = () => isStream ? meter.finish().usage : null;
  const inflater = inflaterFor(contentEncoding);
  if (inflater === null) {
    return {
      push: (chunk) => meter.push(chunk),
      soFar,
      finish: () => Promise.resolve(meter.finish()),
    };
  }
  return { ...inflatingTap(meter, inflater), soFar };
}

function inflatingTap(
  meter: UsageMeter,
  inflater: Transform,
): Omit<Tap, "soFar"> {
  let isOpen = true;
  let packedBytes = 0;
  let plainBytes = 0;
  /** What was metered so far counts. */
  function giveUp(): void {
    isOpen = false;
    inflater.destroy();
  }
  const ended = new Promise<void>((resolve) => {
    inflater.on("data", (chunk: Uint8Array) => {
      if (!isOpen) return;
      plainBytes += chunk.length;
      const isBomb = plainBytes > PLAIN_BYTES_FREE &&
        plainBytes > RATIO_MAX * packedBytes;
      if (isBomb || plainBytes > PLAIN_BYTES_MAX) giveUp();
      else meter.push(chunk);
    });
    inflater.on("end", resolve);
    inflater.on("close", resolve);
    // A cut or wrong stream ends the metering; what was seen so far counts.
    inflater.on("error", () => {
      isOpen = false;
      resolve();
    });
  });
  return {
    push(chunk): void {
      if (!isOpen) return;
      if (inflater.writableLength > WAITING_BYTES_MAX) return giveUp();
      packedBytes += chunk.length;
      inflater.write(Buffer.from(chunk));
    },
    async finish(): Promise<MeterReading> {
      if (isOpen) inflater.end();
      await ended;
      return meter.finish();
    },
  };
}

/**
 * Taking a content coding off: for the tap's copy, for judging an error, and
 * for a stream whose head went out before the upstream answered.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Transform } from "node:stream";
import zlib from "node:zlib";

/** A stream that inflates `encoding`, or null where there is nothing to do. */
export function inflaterFor(encoding: string | null): Transform | null {
  switch (codingOf(encoding)) {
    case "gzip":
    case "x-gzip":
      return zlib.createGunzip();
    case "deflate":
      return zlib.createInflate();
    case "br":
      return zlib.createBrotliDecompress();
    case "zstd":
      return zlib.createZstdDecompress();
    default:
      return null;
  }
}

/** What says "these bytes are not all", by coding. */
const NOT_ALL: Readonly<Record<string, number>> = {
  "gzip": zlib.constants.Z_SYNC_FLUSH,
  "x-gzip": zlib.constants.Z_SYNC_FLUSH,
  "deflate": zlib.constants.Z_SYNC_FLUSH,
  "br": zlib.constants.BROTLI_OPERATION_FLUSH,
  "zstd": zlib.constants.ZSTD_e_flush,
};

/**
 * A whole body without its coding, at most `bytesMax` long; null where it is
 * damaged, longer, or of a coding that we do not know.
 */
export function inflatedWhole(
  bytes: Uint8Array,
  encoding: string | null,
  bytesMax: number,
): Uint8Array | null {
  return inflatedNow(bytes, codingOf(encoding), { maxOutputLength: bytesMax });
}

/** The same of a body of which only the first bytes are there. */
export function inflatedSoFar(
  bytes: Uint8Array,
  encoding: string | null,
  bytesMax: number,
): Uint8Array | null {
  const coding = codingOf(encoding);
  return inflatedNow(bytes, coding, {
    maxOutputLength: bytesMax,
    finishFlush: NOT_ALL[coding] ?? zlib.constants.Z_SYNC_FLUSH,
  });
}

function inflatedNow(
  bytes: Uint8Array,
  coding: string,
  options: { readonly maxOutputLength: number; readonly finishFlush?: number },
): Uint8Array | null {
  try {
    switch (coding) {
      case "identity":
        return bytes;
      case "gzip":
      case "x-gzip":
        return zlib.gunzipSync(bytes, options);
      case "deflate":
        return zlib.inflateSync(bytes, options);
      case "br":
        return zlib.brotliDecompressSync(bytes, options);
      case "zstd":
        return zlib.zstdDecompressSync(bytes, options);
      default:
        return null;
    }
  } catch {
    // What cannot be read is judged by the answer's head alone.
    return null;
  }
}

/** `stream` without its content coding; what arrives goes on at once. */
export function inflated(
  stream: ReadableStream<Uint8Array>,
  encoding: string | null,
): ReadableStream<Uint8Array> {
  const inflater = inflaterFor(encoding);
  if (inflater === null) return stream;
  // A broken stream may never call a write back.
  let unblock = (): void => {};
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      start(controller): void {
        inflater.on("data", (chunk: Uint8Array) => controller.enqueue(chunk));
        inflater.on("error", (cause) => {
          controller.error(cause);
          unblock();
        });
      },
      transform(chunk): Promise<void> {
        return new Promise((resolve) => {
          unblock = resolve;
          inflater.write(Buffer.from(chunk), () => resolve());
        });
      },
      flush(): Promise<void> {
        return new Promise((resolve, reject) => {
          inflater.once("end", resolve);
          inflater.once("error", reject);
          inflater.end();
        });
      },
      cancel(): void {
        inflater.destroy();
      },
    }),
  );
}

function codingOf(encoding: string | null): string {
  const coding = encoding?.trim().toLowerCase() ?? "";
  return coding === "" ? "identity" : coding;
}

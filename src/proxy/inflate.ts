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

/**
 * A whole body without its coding, at most `bytesMax` long; null where it is
 * damaged, longer, or of a coding that we do not know.
 */
export function inflatedWhole(
  bytes: Uint8Array,
  encoding: string | null,
  bytesMax: number,
): Uint8Array | null {
  const limit = { maxOutputLength: bytesMax };
  try {
    switch (codingOf(encoding)) {
      case "identity":
        return bytes;
      case "gzip":
      case "x-gzip":
        return zlib.gunzipSync(bytes, limit);
      case "deflate":
        return zlib.inflateSync(bytes, limit);
      case "br":
        return zlib.brotliDecompressSync(bytes, limit);
      case "zstd":
        return zlib.zstdDecompressSync(bytes, limit);
      default:
        return null;
    }
  } catch {
    // What cannot be read is judged by its head alone.
    return null;
  }
}

/**
 * What the first bytes of a body hold so far, at most `bytesMax`; null where
 * they are damaged, hold more, or are of a coding that we do not know.
 */
export function inflatedSoFar(
  bytes: Uint8Array,
  encoding: string | null,
  bytesMax: number,
): Uint8Array | null {
  const {
    Z_SYNC_FLUSH,
    BROTLI_OPERATION_FLUSH,
    ZSTD_e_flush: ZSTD_FLUSH,
  } = zlib.constants;
  const maxOutputLength = bytesMax;
  try {
    switch (codingOf(encoding)) {
      case "identity":
        return bytes;
      case "gzip":
      case "x-gzip":
        return zlib.gunzipSync(bytes, {
          maxOutputLength,
          finishFlush: Z_SYNC_FLUSH,
        });
      case "deflate":
        return zlib.inflateSync(bytes, {
          maxOutputLength,
          finishFlush: Z_SYNC_FLUSH,
        });
      case "br":
        return zlib.brotliDecompressSync(bytes, {
          maxOutputLength,
          finishFlush: BROTLI_OPERATION_FLUSH,
        });
      case "zstd":
        return zlib.zstdDecompressSync(bytes, {
          maxOutputLength,
          finishFlush: ZSTD_FLUSH,
        });
      default:
        return null;
    }
  } catch {
    // Nothing can be read ahead then; the client gets the bytes as they are.
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

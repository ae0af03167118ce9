/**
 * Taking a content coding off: for the tap's copy, for judging an error, and
 * for a stream whose head went out before the upstream answered.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Transform } from "node:stream";
import zlib from "node:zlib";

/** A stream that inflates, and counts the bytes that it made use of. */
export type Inflater = Transform & { readonly bytesWritten: number };

/** A stream that inflates `encoding`, or null where there is nothing to do. */
export function inflaterFor(encoding: string | null): Inflater | null {
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

/**
 * `stream` without its content coding; what arrives goes on at once. Bytes that
 * are no more of the coding break it.
 */
export function inflated(
  stream: ReadableStream<Uint8Array>,
  encoding: string | null,
): ReadableStream<Uint8Array> {
  if (!Object.hasOwn(NOT_ALL, codingOf(encoding))) return stream;
  let part: Part | null = null;
  return stream.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      async transform(chunk, controller): Promise<void> {
        let rest = chunk;
        while (rest.length > 0) {
          part ??= partOf(encoding, controller);
          const taken = await part.write(rest);
          rest = rest.subarray(taken);
          if (rest.length === 0) return;
          // It ended within the chunk: zstd may go on with another part.
          await part.ended;
          part = null;
        }
      },
      async flush(controller): Promise<void> {
        part ??= partOf(encoding, controller);
        await part.end();
      },
      cancel(): void {
        part?.destroy();
      },
    }),
  );
}

function partOf(
  encoding: string | null,
  controller: TransformStreamDefaultController<Uint8Array>,
): Part {
  const inflater = inflaterFor(encoding);
  if (inflater === null) {
    throw new TypeError("Cannot inflate an unknown coding");
  }
  return new Part(inflater, (chunk) => controller.enqueue(chunk));
}

/** One compressed whole, as it is inflated. */
class Part {
  readonly #inflater: Inflater;
  readonly ended: Promise<void>;

  constructor(inflater: Inflater, onData: (chunk: Uint8Array) => void) {
    this.#inflater = inflater;
    inflater.on("data", onData);
    this.ended = new Promise((resolve, reject) => {
      inflater.once("end", resolve);
      inflater.once("error", reject);
    });
    // Whoever waits for it sees the error as well.
    this.ended.catch(() => {});
  }

  /** How many of `bytes` belong to it; the rest comes after its end. */
  async write(bytes: Uint8Array): Promise<number> {
    const before = this.#inflater.bytesWritten;
    // Damaged bytes may never call the write back.
    await Promise.race([
      new Promise<void>((resolve) => {
        this.#inflater.write(Buffer.from(bytes), () => resolve());
      }),
      this.ended,
    ]);
    return this.#inflater.bytesWritten - before;
  }

  async end(): Promise<void> {
    this.#inflater.end();
    await this.ended;
  }

  destroy(): void {
    this.#inflater.destroy();
  }
}

function codingOf(encoding: string | null): string {
  const coding = encoding?.trim().toLowerCase() ?? "";
  return coding === "" ? "identity" : coding;
}

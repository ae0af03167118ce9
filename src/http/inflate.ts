/**
 * Removes a content coding: from an error that must be judged, from a copy of a
 * response that is metered, and from a stream whose head was sent before the
 * upstream answered.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Transform } from "node:stream";
import zlib from "node:zlib";

/** A stream that inflates, and counts the bytes that it used. */
type Inflater = Transform & { readonly bytesWritten: number };

/** Returns a stream that inflates `encoding`, or null if there is nothing to do. */
function inflaterFor(encoding: string | null): Inflater | null {
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

/** The flag for "more bytes may follow", by coding. */
const PARTIAL_FLUSH: Readonly<Record<string, number>> = {
  "gzip": zlib.constants.Z_SYNC_FLUSH,
  "x-gzip": zlib.constants.Z_SYNC_FLUSH,
  "deflate": zlib.constants.Z_SYNC_FLUSH,
  "br": zlib.constants.BROTLI_OPERATION_FLUSH,
  "zstd": zlib.constants.ZSTD_e_flush,
};

/**
 * Returns a whole body without its coding; null if it is damaged, its coding is
 * unknown, or the result is longer than `bytesMax`.
 */
export function inflatedWhole(
  bytes: Uint8Array,
  encoding: string | null,
  bytesMax: number,
): Uint8Array | null {
  return inflatedNow(bytes, codingOf(encoding), { maxOutputLength: bytesMax });
}

/** Does the same for a body of which only the first bytes are here. */
export function inflatedSoFar(
  bytes: Uint8Array,
  encoding: string | null,
  bytesMax: number,
): Uint8Array | null {
  const coding = codingOf(encoding);
  return inflatedNow(bytes, coding, {
    maxOutputLength: bytesMax,
    finishFlush: PARTIAL_FLUSH[coding] ?? zlib.constants.Z_SYNC_FLUSH,
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
    // A response whose body cannot be read is judged by its head alone.
    return null;
  }
}

/**
 * Returns `stream` without its content coding; bytes are passed on as they
 * come. Bytes that do not belong to the coding break the stream.
 */
export function inflated(
  stream: ReadableStream<Uint8Array>,
  encoding: string | null,
): ReadableStream<Uint8Array> {
  if (!Object.hasOwn(PARTIAL_FLUSH, codingOf(encoding))) return stream;
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
          // The part ended within the chunk: zstd may start another one.
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

/** One complete compressed unit, such as a gzip member or a zstd frame. */
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
    // Those who wait for it see the error; it must not count as unhandled too.
    this.ended.catch(() => {});
  }

  /** Returns how many of `bytes` belong to the part; the rest follow its end. */
  async write(bytes: Uint8Array): Promise<number> {
    const before = this.#inflater.bytesWritten;
    // With damaged bytes the callback of the write may never come.
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

/** Compressed bytes that may wait for the inflater of a copy. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

/**
 * The most that is inflated of a copy. The longest real answer has some ten
 * million bytes; a provider's 1.5 MB can inflate to 512 MB.
 */
const PLAIN_BYTES_MAX = 32 * 1024 * 1024;
/** Text compresses 20 to 1 at best; more than this is an attack. */
const RATIO_MAX = 200;
/** A short answer of few different bytes may compress better. */
const PLAIN_BYTES_FREE = 1024 * 1024;

/** Takes the chunks of a body that others read. */
export interface PlainCopy {
  push(chunk: Uint8Array): void;
  /** Resolves when the last bytes were inflated; call it once, after the end. */
  finish(): Promise<void>;
}

/**
 * Returns a copy of a body that hands the bytes without their content coding to
 * `take`. It gives up, without an error, on a body that is damaged or inflates
 * to too much.
 */
export function plainCopy(
  encoding: string | null,
  take: (bytes: Uint8Array) => void,
): PlainCopy {
  const inflater = inflaterFor(encoding);
  if (inflater === null) {
    return { push: take, finish: () => Promise.resolve() };
  }
  let isOpen = true;
  let packedBytes = 0;
  let plainBytes = 0;
  function giveUp(): void {
    isOpen = false;
    inflater?.destroy();
  }
  const ended = new Promise<void>((resolve) => {
    inflater.on("data", (chunk: Uint8Array) => {
      if (!isOpen) return;
      plainBytes += chunk.length;
      const isBomb = plainBytes > PLAIN_BYTES_FREE &&
        plainBytes > RATIO_MAX * packedBytes;
      if (isBomb || plainBytes > PLAIN_BYTES_MAX) giveUp();
      else take(chunk);
    });
    inflater.on("end", resolve);
    inflater.on("close", resolve);
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
    async finish(): Promise<void> {
      if (isOpen) inflater.end();
      await ended;
    },
  };
}

function codingOf(encoding: string | null): string {
  const coding = encoding?.trim().toLowerCase() ?? "";
  return coding === "" ? "identity" : coding;
}

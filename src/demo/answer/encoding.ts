/**
 * Compresses answers: whole, or event by event so that none is held back.
 *
 * @module
 */

import * as zlib from "node:zlib";
import type { HeaderList } from "../../ports.ts";

export type Encoding = "gzip" | "br" | "zstd" | "deflate";

/** Compresses a body piece by piece. */
export interface Encoder {
  /**
   * Returns the compressed bytes of `piece`, flushed so that all of it can be
   * read.
   */
  encode(piece: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
  /** Returns the closing bytes. */
  finish(): Promise<Uint8Array<ArrayBuffer>>;
  /** Gives up; does nothing after the end. */
  discard(): void;
}

/**
 * Returns the first of `offered` that the `accept-encoding` value allows, or
 * null.
 */
export function negotiate(
  accepted: string | null,
  offered: readonly Encoding[],
): Encoding | null {
  const names = (accepted ?? "").split(",").flatMap((part) => {
    const [name, quality] = part.trim().toLowerCase().split(/\s*;\s*/);
    return quality === "q=0" ? [] : [name];
  });
  return offered.find((name) => names.includes(name)) ?? null;
}

/** Returns the headers of a body in `encoding`. */
export function encodingHeaders(encoding: Encoding): HeaderList {
  return [["content-encoding", encoding], ["vary", "Accept-Encoding"]];
}

/** Returns `bytes` compressed as one piece. */
export async function encodeWhole(
  encoding: Encoding,
  bytes: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const encoder = createEncoder(encoding);
  const start = await encoder.encode(bytes);
  return joined([start, await encoder.finish()]);
}

export function createEncoder(encoding: Encoding): Encoder {
  const stream = compressor(encoding);
  let pieces: Uint8Array[] = [];
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  stream.on("data", (piece: Uint8Array) => pieces.push(piece));
  stream.on("error", failed.reject);

  function take(): Uint8Array<ArrayBuffer> {
    const taken = joined(pieces);
    pieces = [];
    return taken;
  }

  return {
    async encode(piece: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
      const flushed = Promise.withResolvers<void>();
      stream.write(piece);
      stream.flush(() => flushed.resolve());
      await Promise.race([flushed.promise, failed.promise]);
      return take();
    },
    async finish(): Promise<Uint8Array<ArrayBuffer>> {
      const ended = Promise.withResolvers<void>();
      stream.on("end", () => ended.resolve());
      stream.end();
      await Promise.race([ended.promise, failed.promise]);
      return take();
    },
    discard(): void {
      stream.destroy();
    },
  };
}

type Compressor =
  | zlib.Gzip
  | zlib.BrotliCompress
  | zlib.ZstdCompress
  | zlib.Deflate;

function compressor(encoding: Encoding): Compressor {
  const { constants } = zlib;
  switch (encoding) {
    case "gzip":
      return zlib.createGzip({ flush: constants.Z_SYNC_FLUSH });
    case "deflate":
      return zlib.createDeflate({ flush: constants.Z_SYNC_FLUSH });
    case "br":
      return zlib.createBrotliCompress({
        flush: constants.BROTLI_OPERATION_FLUSH,
      });
    case "zstd":
      return zlib.createZstdCompress({ flush: constants.ZSTD_e_flush });
  }
}

/** Returns all of `pieces` in one array. */
export function joined(
  pieces: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Returns `value` as bytes; a text in UTF-8. */
export function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? new TextEncoder().encode(value) : value;
}

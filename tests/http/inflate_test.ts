import { match, strictEqual } from "node:assert/strict";
import zlib from "node:zlib";
import { inflated } from "../../src/http/inflate.ts";

const ENCODE: Readonly<Record<string, (text: string) => Uint8Array>> = {
  gzip: (text) => zlib.gzipSync(text),
  deflate: (text) => zlib.deflateSync(text),
  br: (text) => zlib.brotliCompressSync(text),
  zstd: (text) => zlib.zstdCompressSync(text),
};

function streamOf(...chunks: readonly Uint8Array[]): ReadableStream {
  return ReadableStream.from(chunks.map((chunk) => new Uint8Array(chunk)));
}

/** What comes out; rejects where it breaks, or does not end in time. */
async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("It never ends")), 5_000);
  try {
    return await Promise.race([new Response(stream).text(), promise]);
  } finally {
    clearTimeout(timer);
  }
}

for (const [name, encode] of Object.entries(ENCODE)) {
  Deno.test(`inflated() ends where bytes follow the end of ${name}`, async () => {
    const bytes = Uint8Array.of(...encode("whole"), 1, 2, 3, 4);
    const end = await textOf(inflated(streamOf(bytes), name)).catch(String);
    // Four bytes may be the beginning of more brotli, of no other coding.
    if (name === "br") strictEqual(end, "whole");
    else match(end, /^Error: (?!It never ends)/);
  });
}

for (const name of ["gzip", "zstd"]) {
  Deno.test(`inflated() reads ${name} of several parts, however cut`, async () => {
    const parts = ["one ", "two ", "three"].map((
      text,
    ) => [...ENCODE[name]?.(text) ?? []]);
    const bytes = Uint8Array.from(parts.flat());
    for (const size of [1, 7, (parts[0]?.length ?? 0) + 3, bytes.length]) {
      const cuts: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        cuts.push(bytes.subarray(at, at + size));
      }
      strictEqual(
        await textOf(inflated(streamOf(...cuts), name)),
        "one two three",
      );
    }
  });
}

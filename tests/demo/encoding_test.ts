/** Compressed bodies of the demo: true, and nothing held back. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import * as zlib from "node:zlib";
import {
  createEncoder,
  encodeWhole,
  type Encoding,
  negotiate,
} from "../../src/demo/answer/encoding.ts";

const ENCODINGS: readonly Encoding[] = ["gzip", "br", "zstd", "deflate"];

function decoder(encoding: Encoding) {
  switch (encoding) {
    case "gzip":
      return zlib.createGunzip();
    case "br":
      return zlib.createBrotliDecompress();
    case "zstd":
      return zlib.createZstdDecompress();
    case "deflate":
      return zlib.createInflate();
  }
}

Deno.test("createEncoder() flushes each piece so that it can be read at once", async () => {
  for (const encoding of ENCODINGS) {
    const encoder = createEncoder(encoding);
    const stream = decoder(encoding);
    let read = "";
    stream.on("data", (chunk: Uint8Array) => {
      read += new TextDecoder().decode(chunk);
    });
    let sent = "";
    for (const piece of ["event: a\n\n", "event: b\n\n", "x".repeat(70_000)]) {
      sent += piece;
      const bytes = await encoder.encode(new TextEncoder().encode(piece));
      await new Promise((done) => stream.write(bytes, done));
      await new Promise((done) => setTimeout(done, 5));
      strictEqual(read.length, sent.length, encoding);
    }
    const ended = new Promise((done) => stream.on("end", done));
    stream.end(await encoder.finish());
    await ended;
    strictEqual(read, sent);
  }
});

Deno.test("encodeWhole() packs a body that unpacks to itself", async () => {
  const bytes = new TextEncoder().encode("tc ".repeat(10_000));
  const packed = await encodeWhole("gzip", bytes);
  deepStrictEqual(new Uint8Array(zlib.gunzipSync(packed)), bytes);
});

Deno.test("negotiate() takes the first that is offered and accepted", () => {
  const table = [
    ["gzip, deflate, br, zstd", ["zstd", "gzip"], "zstd"],
    ["gzip;q=0.5, br;q=0", ["br", "gzip"], "gzip"],
    ["identity", ["gzip"], null],
    [null, ["gzip"], null],
    ["GZIP", ["gzip"], "gzip"],
    ["gzip", [], null],
  ] as const;
  for (const [accepted, offered, expected] of table) {
    strictEqual(negotiate(accepted, offered), expected);
  }
});

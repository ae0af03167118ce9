/** sha256Hex() against the runtime's own. */

import { createHash } from "node:crypto";
import { strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { sha256Hex } from "../../src/app/sha256.ts";

function known(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

Deno.test("sha256Hex() is SHA-256, at every length around a block", () => {
  for (let length = 0; length < 200; length++) {
    const text = "x".repeat(length);
    strictEqual(sha256Hex(text), known(text));
  }
});

Deno.test("sha256Hex() digests any text as UTF-8", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
      strictEqual(sha256Hex(text), known(text));
    }),
  );
});

/** The walk sixteen bytes at a time against the one that goes byte by byte. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { builtText } from "../../.github/walk/build.ts";
import {
  BROKEN,
  nestEnd,
  quoteFrom,
} from "../../src/wire/request/byte_walk.ts";
import { SimdWalk } from "../../src/wire/request/simd_walk.ts";

const encoder = new TextEncoder();

function simd(bytes: number): SimdWalk {
  const walk = SimdWalk.of(bytes);
  ok(walk !== null, "this processor cannot take sixteen bytes at a time");
  return walk;
}

/** What a walk returns, and the strings that it tells of. */
function walked(
  bytes: Uint8Array,
  at: number,
  walk: typeof nestEnd,
): readonly [end: number, found: readonly (readonly [number, number])[]] {
  const found: (readonly [number, number])[] = [];
  const end = walk(bytes, at, (from, to) => found.push([from, to]));
  return [end, found];
}

/** Both walks from every bracket and every quote of `bytes`. */
function compare(bytes: Uint8Array): void {
  const fast = simd(bytes.length);
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === 0x7b || byte === 0x5b) {
      deepStrictEqual(
        walked(bytes, at, (...args) => fast.nestEnd(...args)),
        walked(bytes, at, nestEnd),
      );
    }
    if (byte === 0x22) {
      strictEqual(fast.quoteFrom(bytes, at + 1), quoteFrom(bytes, at + 1));
    }
  }
}

/** What JSON is made of, and what breaks it, in any order. */
const PIECE = fc.oneof(
  fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    '"',
    "\\",
    "\\\\",
    '\\"',
    ",",
    ":",
    '"data"',
    '"cache_control"',
    '"date"',
    "é",
    "\u0000",
    "0123456789abcdef",
  ),
  fc.string({ maxLength: 40 }),
);

Deno.test("both walks over any bytes end alike and tell of the same strings", () => {
  fc.assert(
    fc.property(fc.array(PIECE, { maxLength: 60 }), (pieces) => {
      compare(encoder.encode(pieces.join("")));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("both walks over JSON find its end, also where it is cut off", () => {
  const json = fc.json({ maxDepth: 6 });
  fc.assert(
    fc.property(json, fc.nat({ max: 40 }), (text, cut) => {
      const bytes = encoder.encode(`[${text}]`);
      const [end] = walked(bytes, 0, (...args) => simd(0).nestEnd(...args));
      strictEqual(end, bytes.length);
      compare(bytes.slice(0, Math.max(0, bytes.length - cut)));
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("a walk is told of a text that it did not hold, however large it is", () => {
  const small = encoder.encode('{"data":[1]}');
  const large = new Uint8Array(5 * 1024 * 1024).fill(0x61);
  large.set(encoder.encode('{"a":"'));
  large.set(encoder.encode('"}'), large.length - 2);
  const shared = simd(small.length);
  strictEqual(shared.nestEnd(small, 0, null), small.length);
  strictEqual(simd(large.length).nestEnd(large, 0, null), large.length);
  // The shared one grows as well if it must, and goes back to the small text.
  strictEqual(shared.nestEnd(large, 0, null), large.length);
  strictEqual(shared.quoteFrom(small, 2), 6);
  strictEqual(shared.nestEnd(small.subarray(0, 11), 0, null), BROKEN);
});

Deno.test("simd_walk_built.ts is what deno task walk makes", async () => {
  const path = new URL(
    "../../src/wire/request/simd_walk_built.ts",
    import.meta.url,
  );
  strictEqual(await Deno.readTextFile(path), await builtText());
});

/** cellWidth(): the cells that string-width gives, for all of Unicode. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import stringWidth from "string-width";
import { cellWidth, isPlain } from "../../src/deck/terminal/cell_width.ts";
import { UNICODE } from "../../src/deck/terminal/theme.ts";

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

function differences(texts: Iterable<string>): string[] {
  const found: string[] = [];
  for (const text of texts) {
    for (const { segment } of segmenter.segment(text)) {
      const expected = Math.min(2, stringWidth(segment));
      const width = cellWidth(segment);
      if (width === expected) continue;
      const codes = [...segment].map((one) => one.codePointAt(0)?.toString(16));
      found.push(`${codes.join(" ")}: ${width}, not ${expected}`);
    }
  }
  return found;
}

function* characters(): Generator<string> {
  for (let code = 0x20; code < 0xe0200; code++) {
    // Half a pair is no text.
    if (code >= 0xd800 && code <= 0xdfff) continue;
    // The planes of Chinese characters, and empty ones, are all alike.
    if (code > 0x20000 && code < 0xe0000 && code % 101 !== 0) continue;
    yield String.fromCodePoint(code);
  }
}

Deno.test("every character has the cells that string-width gives it", () => {
  deepStrictEqual(differences(characters()).slice(0, 20), []);
});

Deno.test("characters with marks, joiners and selectors as well", () => {
  const parts = [
    ..."a1#é漢한ｱ☀☕❤👍👩🇩🇪🏽न",
    ...["\u0301", "\u200d", "\ufe0f", "\ufe0e", "\u20e3", "\u00ad"],
    ...["\u1100", "\u1112\u1161\u11ab", "\u0915\u094d", "👩\u200d💻", "\u200b"],
  ];
  const texts = parts.flatMap((a) =>
    parts.flatMap((b) => [a + b, ...parts.map((c) => a + b + c)])
  );
  deepStrictEqual(differences(texts).slice(0, 20), []);
});

Deno.test("a plain text has one cell for each character", () => {
  for (const one of characters()) {
    if (isPlain(one)) strictEqual(stringWidth(one), 1, one);
    // Whatever stands beside it.
    if (isPlain(one)) {
      strictEqual([...segmenter.segment(`${one}${one}`)].length, 2, one);
    }
  }
});

Deno.test("tc's own signs are plain: the Deck starts without the set of emoji", () => {
  const signs = Object.values(UNICODE).flat();
  deepStrictEqual(signs.filter((sign) => !isPlain(sign)), []);
});

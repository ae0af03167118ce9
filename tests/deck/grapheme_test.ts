import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { Canvas } from "../../src/deck/terminal/frame.ts";
import { frameText } from "../fixtures/frame_text.ts";
import {
  cut,
  graphemes,
  padEnd,
  widthOf,
} from "../../src/deck/terminal/grapheme.ts";
import { span } from "../../src/deck/terminal/line.ts";
import { COLORS_RGB } from "../../src/deck/terminal/theme.ts";

Deno.test("widthOf() counts cells, not characters", () => {
  deepStrictEqual(
    ["abc", "日本", "🦊", "🛠️", "👨‍👩‍👧", "e\u0301", "🏳️‍🌈", ""].map(widthOf),
    [3, 4, 2, 2, 2, 1, 2, 0],
  );
});

Deno.test("graphemes() makes control bytes and OSC inert", () => {
  const drawn = graphemes("a\u001b]0;owned\u0007b\u009b31mc\u202Ed")
    .map(({ text }) => text).join("");
  strictEqual(drawn, "a]0;ownedb31mcd");
});

Deno.test("cut() never splits a wide character", () => {
  strictEqual(cut("日本語", 6), "日本語");
  strictEqual(cut("日本語", 5), "日本…");
  strictEqual(cut("日本語", 4), "日…");
  strictEqual(cut("日本語", 1), "…");
});

Deno.test("padEnd() is as wide as it was asked to be, whatever the text", () => {
  fc.assert(fc.property(
    fc.string({ unit: "grapheme", maxLength: 30 }),
    fc.integer({ min: 1, max: 20 }),
    (text, width) => {
      strictEqual(widthOf(padEnd(text, width)), width);
    },
  ));
});

Deno.test("Canvas.put() never leaves half a wide character", () => {
  const puts = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom("a", "日", "🦊b")),
    { maxLength: 20 },
  );
  fc.assert(fc.property(puts, (all) => {
    const canvas = new Canvas({ columns: 10, rows: 1 });
    for (const [column, text] of all) {
      canvas.put([span(text)], { row: 0, column });
    }
    const frame = canvas.frame();
    ok(widthOf(frameText(frame)) <= 10);
    frame.text.forEach((cell, index) => {
      const isWide = cell !== "" && widthOf(cell) === 2;
      strictEqual(frame.text[index + 1] === "", isWide, frame.text.join("|"));
    });
  }));
});

/** WCAG 2: relative luminance of an sRGB colour. */
function luminance(rgb: readonly number[]): number {
  const [r = 0, g = 0, b = 0] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

Deno.test("every colour reads on black and on white, 4.5 to 1", () => {
  for (const [style, rgb] of Object.entries(COLORS_RGB)) {
    const light = luminance(rgb);
    ok((light + 0.05) / 0.05 >= 4.5, `${style} on black`);
    ok(1.05 / (light + 0.05) >= 4.5, `${style} on white`);
  }
});

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { type Key, parseKeys } from "../../src/deck/terminal/keys.ts";

const NOTHING = new Uint8Array();

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function named(key: Key): string {
  if (key.kind === "mouse") return `<${key.button} ${key.row},${key.column}>`;
  return key.kind === "char" ? key.text : `<${key.name}>`;
}

function parsed(text: string): string {
  return parseKeys(bytes(text), NOTHING).keys.map(named).join(" ");
}

Deno.test("parseKeys() reads letters, arrows and control keys", () => {
  strictEqual(parsed("jk\u001b[A\u001b[B"), "j k <up> <down>");
  strictEqual(parsed("\u001bOA\u001b[H\u001b[5~"), "<up> <home> <page_up>");
  strictEqual(
    parsed("\r\t\u001b[Z\u007f"),
    "<enter> <tab> <back_tab> <backspace>",
  );
  strictEqual(parsed("\u0003\u001a\u000c"), "<interrupt> <suspend> <redraw>");
});

Deno.test("parseKeys() takes an escape at the end for the key itself", () => {
  strictEqual(parsed("\u001b"), "<escape>");
  strictEqual(parsed("a\u001b"), "a <escape>");
});

Deno.test("parseKeys() drops what a terminal answers", () => {
  strictEqual(parsed("\u001b]11;rgb:0000/0000/0000\u0007q"), "q");
  strictEqual(parsed("\u001b[?1;2cq"), "q");
});

Deno.test("parseKeys() waits for the rest of a character", () => {
  const [first, second] = [bytes("é").subarray(0, 1), bytes("é").subarray(1)];
  const start = parseKeys(first, NOTHING);
  deepStrictEqual(start.keys, []);
  const end = parseKeys(second, start.rest);
  deepStrictEqual(end.keys.map(named), ["é"]);
});

Deno.test("parseKeys() gives the same keys however text is cut", () => {
  const texts = fc.array(
    fc.constantFrom("j", "\u001b[A", "é", "🦊", "\r", "\u001bOB", "\u001b[6~"),
    { maxLength: 8 },
  );
  fc.assert(fc.property(texts, fc.nat(40), (parts, at) => {
    const all = bytes(parts.join(""));
    // An escape alone at the end of what came is the key: not cut there.
    const cut = all[at - 1] === 0x1b ? 0 : Math.min(at, all.length);
    const start = parseKeys(all.subarray(0, cut), NOTHING);
    const end = parseKeys(all.subarray(cut), start.rest);
    deepStrictEqual(
      [...start.keys, ...end.keys].map(named),
      parseKeys(all, NOTHING).keys.map(named),
    );
  }));
});

Deno.test("parseKeys() holds on whatever comes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (all) => {
    const { rest } = parseKeys(all, NOTHING);
    ok(rest.length <= 32);
  }));
});

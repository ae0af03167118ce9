import { ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { BROKEN } from "../../src/wire/request/byte_walk.ts";
import { JsonSource } from "../../src/wire/request/json_source.ts";
import {
  memberAt,
  scalarAt,
  shortTextAt,
  skipSpace,
  valueEnd,
  walkArray,
  walkObject,
} from "../../src/wire/request/json.ts";
import { trials } from "../fixtures/trials.ts";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function source(text: string): JsonSource {
  return new JsonSource(bytes(text));
}

const json = fc.tuple(
  fc.jsonValue({ stringUnit: "binary" }),
  fc.constantFrom<string | number>(0, 1, 4, "\t", " \n\r\t"),
).map(([value, space]) => JSON.stringify(value, null, space));

Deno.test("valueEnd() ends where the value ends", () => {
  fc.assert(
    fc.property(json, fc.constantFrom("", ",", "}", "]", " "), (text, rest) => {
      const value = bytes(text);
      strictEqual(valueEnd(source(text + rest), 0), value.length);
    }),
    { numRuns: trials(2_000, 50_000) },
  );
});

Deno.test("valueEnd() finds the end of strings however they are escaped", () => {
  for (let before = 0; before < 140; before++) {
    for (let escapes = 0; escapes < 5; escapes++) {
      const inner = "x".repeat(before) + "\\\\".repeat(escapes) + '\\"';
      const text = `"${inner}${inner}"`;
      strictEqual(valueEnd(source(`${text}:1`), 0), text.length, text);
      strictEqual(valueEnd(source(`"${inner}`), 0), BROKEN);
      // An even run escapes itself: the quote after it is the end.
      const even = `"${"x".repeat(before)}${"\\\\".repeat(escapes)}"`;
      strictEqual(valueEnd(source(`${even},"b"`), 0), even.length, even);
    }
  }
});

Deno.test("valueEnd() handles any depth", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  strictEqual(valueEnd(source(deep), 0), deep.length);
  strictEqual(valueEnd(source(deep.slice(1)), 0), deep.length - 2);
  strictEqual(valueEnd(source("[".repeat(100_000)), 0), BROKEN);
  const objects = '{"a":'.repeat(10_000) + "1" + "}".repeat(10_000);
  strictEqual(valueEnd(source(objects), 0), objects.length);
});

Deno.test("memberAt() finds what JSON.parse finds, the last of a repeated key", () => {
  const member = fc.tuple(
    fc.constantFrom("model", "tools", "mode", "models", "\u00e9", '"', "\\"),
    fc.oneof(fc.string(), fc.integer(), fc.constant(null)),
  );
  fc.assert(
    fc.property(fc.array(member, { maxLength: 8 }), (members) => {
      const text = `{${
        members.map(([key, value]) =>
          ` ${JSON.stringify(key)} : ${JSON.stringify(value)}\n`
        ).join(",")
      }}`;
      const body = source(text);
      const at = memberAt(body, 0, "model");
      const parsed = JSON.parse(text);
      strictEqual(at !== BROKEN, Object.hasOwn(parsed, "model"));
      if (at === BROKEN) return;
      const end = valueEnd(body, at);
      const found = new TextDecoder().decode(body.bytes.subarray(at, end));
      strictEqual(found, JSON.stringify(parsed.model));
    }),
    { numRuns: trials(2_000, 50_000) },
  );
});

Deno.test("memberAt() knows a key that is written with escapes", () => {
  const body = source('{"\\u006dodel":"a","m\\u006fdels":1}');
  strictEqual(shortTextAt(body, memberAt(body, 0, "model")), "a");
  strictEqual(memberAt(body, 0, "mode"), BROKEN);
  strictEqual(scalarAt(body, memberAt(body, 0, "models")), "1");
});

Deno.test("shortTextAt() decodes only strings", () => {
  strictEqual(shortTextAt(source('"a\\u00e9\\n"'), 0), "a\u00e9\n");
  strictEqual(shortTextAt(source('""'), 0), "");
  for (const text of ["1", "null", '"a', '"\\x"', '"\n"', "{}", ""]) {
    strictEqual(shortTextAt(source(text), 0), null, text);
  }
  strictEqual(shortTextAt(source(`"${"x".repeat(5_000)}"`), 0), null);
  strictEqual(shortTextAt(source('"a"'), BROKEN), null);
});

Deno.test("a walk over any bytes ends and never throws", () => {
  const structural = fc.array(
    fc.constantFrom(...'{}[]":,\\ a1'),
    { maxLength: 60 },
  ).map((characters) => bytes(characters.join("")));
  const anything = fc.oneof(fc.uint8Array({ maxLength: 200 }), structural);
  fc.assert(
    fc.property(anything, (body) => {
      const before = body.slice();
      const json = new JsonSource(body);
      for (const at of [0, skipSpace(body, 0), body.length, body.length + 5]) {
        const end = valueEnd(json, at);
        ok(end === BROKEN || end > at && end <= body.length);
        memberAt(json, at, "model");
        walkArray(json, at, (item) => valueEnd(json, item));
        walkObject(json, at, (_, __, value) => valueEnd(json, value));
      }
      ok(body.every((byte, index) => byte === before[index]));
    }),
    { numRuns: trials(5_000, 200_000) },
  );
});

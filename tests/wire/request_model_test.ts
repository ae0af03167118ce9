import { strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { replaceModel } from "../../src/wire/request/request_model.ts";
import { trials } from "../fixtures/trials.ts";

const MAP = { "claude-opus-5-5": "glm-5", "a": '"', "same": "same" };

function replaced(text: string): string {
  const body = new TextEncoder().encode(text);
  return new TextDecoder().decode(replaceModel(body, MAP));
}

Deno.test("replaceModel() replaces the top-level model and no other byte", () => {
  const rows: [body: string, expected: string][] = [
    ['{"model":"claude-opus-5-5"}', '{"model":"glm-5"}'],
    [
      ' {"a" : {"model":"claude-opus-5-5"},\n"model" :\t"claude-opus-5-5" , "n":9007199254740993.10 }\n',
      ' {"a" : {"model":"claude-opus-5-5"},\n"model" :\t"glm-5" , "n":9007199254740993.10 }\n',
    ],
    ['{"model":"a"}', '{"model":"\\""}'],
    ['{"m\\u006fdel":"claude-opus-5-5"}', '{"m\\u006fdel":"glm-5"}'],
    [
      '{"model":"claude\\u002dopus-5-5","text":"\\ud800 \\"model\\":\\"a\\""}',
      '{"model":"glm-5","text":"\\ud800 \\"model\\":\\"a\\""}',
    ],
    [
      '{"model":"other","model":"claude-opus-5-5"}',
      '{"model":"other","model":"glm-5"}',
    ],
  ];
  for (const [body, expected] of rows) strictEqual(replaced(body), expected);
});

Deno.test("replaceModel() returns the same array if there is nothing to replace", () => {
  const texts = [
    "",
    "{}",
    "[]",
    '{"model":7}',
    '{"model":null}',
    '{"model":"unknown"}',
    '{"model":"same"}',
    '{"model":"toString"}',
    '{"model":"__proto__"}',
    '["model","a"]',
    '{"x":{"model":"a"}}',
    "not json",
  ];
  for (const text of texts) {
    const body = new TextEncoder().encode(text);
    strictEqual(replaceModel(body, MAP), body, text);
  }
});

Deno.test("replaceModel() changes only the model as JSON.parse sees it", () => {
  const body = fc.tuple(
    fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 5 }),
    fc.constantFrom("claude-opus-5-5", "a", "other"),
    fc.constantFrom<string | number>(0, 2, "\t"),
  );
  fc.assert(
    fc.property(body, ([rest, model, space]) => {
      const before = { ...rest, model };
      const text = JSON.stringify(before, null, space);
      const after = {
        ...before,
        model: ({ ...MAP } as Record<string, string>)[model] ?? model,
      };
      strictEqual(replaced(text), JSON.stringify(after, null, space));
    }),
    { numRuns: trials(1_000, 20_000) },
  );
});

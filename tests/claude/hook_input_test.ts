import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { hookName, readHookInput } from "../../src/claude/hook_input.ts";
import { trials } from "../fixtures/trials.ts";

Deno.test("readHookInput() reads what the client sends", () => {
  const input = readHookInput(JSON.stringify({
    session_id: "eaa2c29c-eff2-4ca3-a764-e9619443b147",
    transcript_path: "/home/u/.claude/projects/-x/eaa2.jsonl",
    cwd: "/x",
    hook_event_name: "StopFailure",
    error: "rate_limit",
    last_assistant_message: "You've hit your 5-hour limit",
  }));
  deepStrictEqual(input, {
    session: "eaa2c29c-eff2-4ca3-a764-e9619443b147",
    source: null,
    error: "rate_limit",
    trigger: null,
    folder: "/x",
  });
});

Deno.test("readHookInput() takes anything and gives short plain words or null", () => {
  const field = fc.constantFrom(
    "session_id",
    "source",
    "error",
    "trigger",
    "prompt",
    "__proto__",
  );
  const odd = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.dictionary(field, fc.anything()).map((value) => {
      try {
        return JSON.stringify(value) ?? "";
      } catch {
        return "[";
      }
    }),
    fc.constantFrom("", "null", "[]", "{", '"x"', "\u0000", "1e999"),
  );
  fc.assert(
    fc.property(odd, (text) => {
      for (const value of Object.values(readHookInput(text))) {
        const isPlain = value === null || /^[\w.:-]{1,128}$/.test(value);
        if (!isPlain) return false;
      }
      return true;
    }),
    { numRuns: trials(200, 10_000) },
  );
});

Deno.test("hookName() knows the plugin's hooks and nothing else", () => {
  strictEqual(hookName("stop-failure"), "stop-failure");
  for (const name of [undefined, "", "stop", "--help", "constructor"]) {
    strictEqual(hookName(name), null);
  }
});

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { earlyError } from "../../src/wire/answer/early_error.ts";

function opening(event: string, type: string): Uint8Array {
  const data = JSON.stringify({ type: "error", error: { type, message: "m" } });
  return new TextEncoder().encode(`event: ${event}\ndata: ${data}\n\n`);
}

Deno.test("earlyError() gives the status of the same plain answer", () => {
  const cases = [
    ["rate_limit_error", 429],
    ["overloaded_error", 529],
    ["authentication_error", 401],
    ["permission_error", 403],
    ["api_error", 500],
    // Names that every object has are no known errors.
    ["constructor", 500],
    ["toString", 500],
    ["", 500],
  ] as const;
  for (const [type, status] of cases) {
    strictEqual(earlyError(opening("error", type))?.status, status, type);
  }
});

Deno.test("earlyError() is null for a stream that does not open with an error", () => {
  strictEqual(earlyError(opening("message_start", "rate_limit_error")), null);
  strictEqual(earlyError(new Uint8Array()), null);
  const later = new TextEncoder().encode("event: ping\ndata: {}\n\n");
  deepStrictEqual(earlyError(later), null);
});

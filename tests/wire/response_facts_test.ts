import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { after, DAY_MS, HOUR_MS, instantFromMs } from "../../src/core/time.ts";
import type { ResponseFacts } from "../../src/core/quota/verdict.ts";
import type { HeaderList } from "../../src/ports.ts";
import { forRequest, responseFacts } from "../../src/wire/answer/ratelimit.ts";
import {
  API_KEY_SERVED,
  FIVE_HOURS_SPENT,
  PREMIUM_SPENT,
  PREMIUM_SPENT_AT_MS,
  SERVED,
} from "./captured.ts";

const RESET = 1785182400000;
const NOW = instantFromMs(RESET - 2 * HOUR_MS);

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function unified(fields: Readonly<Record<string, string>>): HeaderList {
  return Object.entries(fields).map(([name, value]) =>
    [`anthropic-ratelimit-unified-${name}`, value] as const
  );
}

const OPUS = {
  family: "opus",
  model: "claude-opus-5-5",
  betas: "",
  contextTokens: 1_000,
  client: "sdk",
  path: "/v1/messages",
};

function rejected(headers: HeaderList): ResponseFacts["rejected"] {
  return responseFacts(429, headers, null, NOW).rejected;
}

Deno.test("responseFacts() of a spent five-hour window", () => {
  const body = bytes(
    '{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account\'s rate limit. Please try again later."},"request_id":"req_FAKE"}',
  );
  deepStrictEqual(responseFacts(429, FIVE_HOURS_SPENT, body, NOW), {
    status: 429,
    rejected: { window: "5h", family: null, resetsAt: RESET },
    hasLimits: true,
    isAllowed: false,
    retryAt: after(NOW, 7_200_000),
    lack: null,
    lacksInference: false,
    errorType: "rate_limit_error",
    errorMessage:
      "This request would exceed your account's rate limit. Please try again later.",
  });
});

Deno.test("responseFacts() of a used-up premium week bars only Fable", () => {
  const now = instantFromMs(PREMIUM_SPENT_AT_MS);
  const facts = responseFacts(429, PREMIUM_SPENT, null, now);
  deepStrictEqual(facts.rejected, {
    window: "7d_oi",
    family: "fable",
    resetsAt: 1785736800000,
  });
  strictEqual(facts.retryAt, 1785736800000);
});

Deno.test("responseFacts() rejects nothing on a served answer", () => {
  strictEqual(responseFacts(200, FIVE_HOURS_SPENT, null, NOW).rejected, null);
  strictEqual(responseFacts(200, SERVED, null, NOW).hasLimits, true);
  strictEqual(responseFacts(529, PREMIUM_SPENT, null, NOW).rejected, null);
});

Deno.test("responseFacts() of a throttle has limits and no rejected window", () => {
  const allowed = unified({
    "5h-status": "allowed",
    "5h-utilization": "0.3",
    "7d-status": "allowed_warning",
    "7d-utilization": "0.8",
    "status": "allowed",
    "overage-status": "rejected",
  });
  const facts = responseFacts(
    429,
    [...allowed, ["retry-after", "12"]],
    null,
    NOW,
  );
  strictEqual(facts.rejected, null);
  strictEqual(facts.hasLimits, true);
  strictEqual(facts.retryAt, after(NOW, 12_000));
  strictEqual(facts.isAllowed, true);
});

Deno.test("responseFacts() takes limits as allowed only if all of them say so", () => {
  const rows:
    readonly (readonly [Readonly<Record<string, string>>, boolean])[] = [
      [{ "status": "allowed" }, true],
      [{ "5h-status": "allowed", "7d-status": "allowed_warning" }, true],
      [{ "status": "allowed", "7d_oi-status": "rejected" }, false],
      [{ "status": "rejected", "5h-status": "allowed" }, false],
      // A word that nobody knows and a figure alone allow nothing.
      [{ "status": "perhaps" }, false],
      [{ "5h-utilization": "0.2" }, false],
      // The bill's own axis is no limit of the plan.
      [{ "5h-status": "allowed", "overage-status": "rejected" }, true],
      [{ "overage-status": "allowed" }, false],
    ];
  for (const [lines, isAllowed] of rows) {
    const facts = responseFacts(429, unified(lines), null, NOW);
    strictEqual(facts.isAllowed, isAllowed, JSON.stringify(lines));
  }
});

Deno.test("responseFacts() of a header-less 429 has nothing", () => {
  const message =
    '{"type":"error","error":{"type":"rate_limit_error","message":"Error"}}';
  deepStrictEqual(responseFacts(429, [["date", "x"]], bytes(message), NOW), {
    status: 429,
    rejected: null,
    hasLimits: false,
    isAllowed: false,
    retryAt: null,
    lack: null,
    lacksInference: false,
    errorType: "rate_limit_error",
    errorMessage: "Error",
  });
  const senseless = responseFacts(429, [["retry-after", "-5"]], null, NOW);
  strictEqual(senseless.hasLimits, false);
  strictEqual(senseless.retryAt, null);
});

Deno.test("responseFacts() takes the latest reset of several windows", () => {
  const both = unified({
    "5h-status": "rejected",
    "5h-reset": String(RESET / 1000),
    "7d-status": "rejected",
    "7d-reset": String(RESET / 1000 + 86_400),
  });
  deepStrictEqual(rejected(both), {
    window: "7d",
    family: null,
    resetsAt: RESET + DAY_MS,
  });
});

Deno.test("responseFacts() puts what bars the account before what bars a family", () => {
  const both = unified({
    "7d_oi-status": "rejected",
    "7d_oi-reset": String(RESET / 1000 + 86_400),
    "5h-status": "rejected",
    "5h-reset": String(RESET / 1000),
  });
  deepStrictEqual(rejected(both), {
    window: "5h",
    family: null,
    resetsAt: RESET,
  });
});

Deno.test("responseFacts() drops a reset that has passed", () => {
  const past = unified({ "5h-status": "rejected", "5h-reset": "1785000000" });
  deepStrictEqual(rejected(past), {
    window: "5h",
    family: null,
    resetsAt: null,
  });
});

Deno.test("responseFacts() takes a full window without a status as rejected", () => {
  const full = unified({ "7d-utilization": "1.01", "5h-utilization": "0.2" });
  strictEqual(rejected(full)?.window, "7d");
  const allowed = unified({ "7d-utilization": "1.01", "7d-status": "allowed" });
  strictEqual(rejected(allowed), null);
  const past = unified({ "7d-utilization": "1", "7d-reset": "1785000000" });
  strictEqual(rejected(past), null);
});

Deno.test("responseFacts() reads the summary if a window has no status", async (t) => {
  const reset = String(RESET / 1000);
  const rows: [claim: string, window: string, family: string | null][] = [
    ["five_hour", "5h", null],
    ["seven_day", "7d", null],
    ["seven_day_opus", "7d:opus", "opus"],
    ["seven_day_sonnet", "7d:sonnet", "sonnet"],
    ["seven_day_overage_included", "7d_oi", "fable"],
    ["overage", "unified", null],
    ["who_knows", "unified", null],
  ];
  for (const [claim, window, family] of rows) {
    await t.step(claim, () => {
      const summary = unified({
        "status": "rejected",
        "representative-claim": claim,
        "reset": reset,
      });
      const expected = { window, family, resetsAt: RESET };
      deepStrictEqual(rejected(summary), expected);
      strictEqual(rejected(summary.slice(1)), null);
    });
  }
  deepStrictEqual(rejected(unified({ "status": "rejected" })), {
    window: "unified",
    family: null,
    resetsAt: null,
  });
});

Deno.test("responseFacts() recognises a weekly claim beside allowed windows", () => {
  const opus = unified({
    "5h-status": "allowed",
    "7d-status": "allowed",
    "status": "rejected",
    "representative-claim": "seven_day_opus",
    "reset": String(RESET / 1000),
  });
  deepStrictEqual(rejected(opus), {
    window: "7d:opus",
    family: "opus",
    resetsAt: RESET,
  });
});

Deno.test("responseFacts() prefers a window's own status to the summary", () => {
  const contradiction = unified({
    "5h-status": "allowed",
    "status": "rejected",
    "representative-claim": "five_hour",
  });
  strictEqual(rejected(contradiction), null);
  const noClaim = unified({ "5h-status": "allowed", "status": "rejected" });
  strictEqual(rejected(noClaim), null);
});

Deno.test("responseFacts() takes a long wait with room in both windows as a family's", () => {
  function facts(fields: Readonly<Record<string, string>>, wait: string) {
    const headers = [...unified(fields), ["retry-after", wait] as const];
    return responseFacts(429, headers, null, NOW);
  }
  const room = { "5h-utilization": "0.3", "7d-utilization": "0.998" };
  const long = facts(room, "1800");
  deepStrictEqual(long.rejected, {
    window: "7d:requested",
    family: "requested",
    resetsAt: after(NOW, 1_800_000),
  });
  deepStrictEqual(forRequest(long, OPUS).rejected, {
    window: "7d:opus",
    family: "opus",
    resetsAt: after(NOW, 1_800_000),
  });
  strictEqual(facts(room, "1799").rejected, null);
  strictEqual(facts({ "5h-utilization": "0.3" }, "1800").rejected, null);
  const claimed = { ...room, "representative-claim": "seven_day_sonnet" };
  strictEqual(facts(claimed, "1800").rejected?.family, "sonnet");
  const spent = { "5h-utilization": "0.999", "7d-utilization": "0.2" };
  deepStrictEqual(facts(spent, "1800").rejected?.window, "5h");
});

Deno.test("forRequest() leaves a family that the answer named", () => {
  const now = instantFromMs(PREMIUM_SPENT_AT_MS);
  const facts = responseFacts(429, PREMIUM_SPENT, null, now);
  strictEqual(forRequest(facts, OPUS), facts);
  const none = responseFacts(200, SERVED, null, NOW);
  strictEqual(forRequest(none, OPUS), none);
});

Deno.test("responseFacts() of an API key's 429 rejects no plan window", () => {
  const facts = responseFacts(
    429,
    [...API_KEY_SERVED, ["retry-after", "21"]],
    null,
    NOW,
  );
  strictEqual(facts.rejected, null);
  strictEqual(facts.hasLimits, true);
});

Deno.test("responseFacts() of an overload blames no window", () => {
  const body = bytes(
    '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
  );
  const facts = responseFacts(429, FIVE_HOURS_SPENT, body, NOW);
  strictEqual(facts.rejected, null);
  strictEqual(facts.errorType, "overloaded_error");
});

Deno.test("responseFacts() caps retry-after at the longest window", () => {
  const headers: HeaderList = [["retry-after", "1580000"]];
  strictEqual(
    responseFacts(429, headers, null, NOW).retryAt,
    after(NOW, 7 * DAY_MS),
  );
});

Deno.test("responseFacts() reads an error of any status and survives any body", () => {
  const revoked = responseFacts(
    401,
    [],
    bytes(
      '{"type":"error","error":{"type":"authentication_error","message":"OAuth access token has been revoked"}}',
    ),
    NOW,
  );
  strictEqual(revoked.errorType, "authentication_error");
  strictEqual(revoked.errorMessage, "OAuth access token has been revoked");
  const odd = [
    "",
    "<html>",
    "null",
    "[]",
    "7",
    '{"error":null}',
    '{"error":"invalid_grant"}',
    '{"error":{"type":5,"message":{}}}',
    '{"error":{"type":"x"',
  ];
  for (const text of odd) {
    const facts = responseFacts(502, [], bytes(text), NOW);
    strictEqual(facts.errorType, null, text);
    strictEqual(facts.errorMessage, null, text);
  }
  const long = JSON.stringify({
    error: { type: "t".repeat(500), message: "\x1b[31m" + "m".repeat(9_000) },
  });
  const facts = responseFacts(500, [], bytes(long), NOW);
  strictEqual(facts.errorType?.length, 100);
  strictEqual(facts.errorMessage?.length, 2_000);
  ok(!facts.errorMessage?.includes("\x1b"));
});

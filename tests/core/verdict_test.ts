/** classify(): one row per kind of answer. */

import { deepStrictEqual } from "node:assert/strict";
import {
  type CapacityVerdict,
  classify,
  type ResponseFacts,
} from "../../src/core/quota/verdict.ts";
import { after, DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/core/time.ts";
import { inHours, inSeconds, NOW } from "../fixtures/pool.ts";

function facts(parts: Partial<ResponseFacts>): ResponseFacts {
  return {
    status: 200,
    rejected: null,
    hasLimits: false,
    isAllowed: false,
    retryAt: null,
    lack: null,
    lacksInference: false,
    errorType: null,
    errorMessage: null,
    ...parts,
  };
}

const SPENT = { window: "5h", family: null, resetsAt: inHours(2) };

const ROWS:
  readonly (readonly [string, Partial<ResponseFacts>, CapacityVerdict])[] = [
    ["200", {}, { kind: "served" }],
    ["304", { status: 304 }, { kind: "served" }],
    ["400", { status: 400 }, { kind: "request_refused", status: 400 }],
    [
      "400 of a disabled organization",
      { status: 400, errorMessage: "This organization has been disabled." },
      { kind: "credential", fault: "organization_disabled" },
    ],
    [
      "400 of an empty balance",
      { status: 400, errorMessage: "Your credit balance is too low to access" },
      {
        kind: "exhausted",
        window: "credit",
        family: null,
        until: after(NOW, HOUR_MS),
      },
    ],
    ["401", { status: 401 }, { kind: "credential", fault: "expired" }],
    [
      "401 of an organization without OAuth",
      {
        status: 401,
        errorMessage:
          "OAuth authentication is currently not allowed for this organization.",
      },
      { kind: "credential", fault: "oauth_refused" },
    ],
    [
      "403",
      { status: 403, errorMessage: "Request not allowed" },
      { kind: "credential", fault: "forbidden" },
    ],
    [
      "403 of a revoked token",
      { status: 403, errorMessage: "OAuth token has been revoked." },
      { kind: "credential", fault: "expired" },
    ],
    [
      "403 of a missing scope",
      {
        status: 403,
        errorMessage:
          "OAuth token does not meet scope requirement user:profile",
      },
      { kind: "request_refused", status: 403 },
    ],
    ["404", { status: 404 }, { kind: "request_refused", status: 404 }],
    ["413", { status: 413 }, { kind: "request_refused", status: 413 }],
    [
      "429 with a spent window",
      { status: 429, rejected: SPENT, hasLimits: true, retryAt: inHours(3) },
      {
        kind: "exhausted",
        window: "5h",
        family: null,
        until: inHours(2),
      },
    ],
    [
      "429 with a spent window of one family",
      {
        status: 429,
        hasLimits: true,
        rejected: { window: "7d_oi", family: "fable", resetsAt: inHours(50) },
      },
      {
        kind: "exhausted",
        window: "7d_oi",
        family: "fable",
        until: inHours(50),
      },
    ],
    [
      "429 with a reset that has passed",
      {
        status: 429,
        hasLimits: true,
        rejected: { ...SPENT, resetsAt: inHours(-1) },
      },
      {
        kind: "exhausted",
        window: "5h",
        family: null,
        until: after(NOW, MINUTE_MS),
      },
    ],
    [
      "429 with a reset in another century",
      {
        status: 429,
        hasLimits: true,
        rejected: { ...SPENT, resetsAt: inHours(1e6) },
      },
      {
        kind: "exhausted",
        window: "5h",
        family: null,
        until: after(NOW, 35 * DAY_MS),
      },
    ],
    [
      "429 with a short retry-after",
      { status: 429, hasLimits: true, retryAt: inSeconds(7) },
      { kind: "throttled", until: inSeconds(7), isStated: true },
    ],
    [
      "429 with every limit allowed and no retry-after",
      { status: 429, hasLimits: true, isAllowed: true },
      { kind: "request_throttled" },
    ],
    [
      "429 with every limit allowed and a short retry-after",
      {
        status: 429,
        hasLimits: true,
        isAllowed: true,
        retryAt: inSeconds(7),
      },
      { kind: "throttled", until: inSeconds(7), isStated: true },
    ],
    [
      "429 with limits and no retry-after",
      { status: 429, hasLimits: true },
      { kind: "throttled", until: inSeconds(5), isStated: false },
    ],
    [
      "429 that asks for hours without naming a window",
      { status: 429, hasLimits: true, retryAt: inHours(14) },
      {
        kind: "exhausted",
        window: "unstated",
        family: null,
        until: inHours(14),
      },
    ],
    ["429 without any header", { status: 429 }, { kind: "request_throttled" }],
    [
      "429 that is an overload",
      { status: 429, errorType: "overloaded_error" },
      { kind: "overloaded", retryAt: null },
    ],
    [
      "529",
      { status: 529, retryAt: inSeconds(3) },
      { kind: "overloaded", retryAt: inSeconds(3) },
    ],
    [
      "500 that says Overloaded",
      { status: 500, errorMessage: "Overloaded" },
      { kind: "overloaded", retryAt: null },
    ],
    ["500", { status: 500 }, { kind: "failed", status: 500 }],
    ["503", { status: 503 }, { kind: "failed", status: 503 }],
    [
      "503 with retry-after",
      { status: 503, retryAt: inSeconds(2) },
      { kind: "overloaded", retryAt: inSeconds(2) },
    ],
    [
      "200 whose first event is a limit",
      { errorType: "rate_limit_error", rejected: SPENT, hasLimits: true },
      {
        kind: "exhausted",
        window: "5h",
        family: null,
        until: inHours(2),
      },
    ],
    [
      "200 whose first event is an overload",
      { errorType: "overloaded_error" },
      { kind: "overloaded", retryAt: null },
    ],
  ];

for (const [name, parts, verdict] of ROWS) {
  Deno.test(`classify() understands ${name}`, () => {
    deepStrictEqual(classify(facts(parts), NOW), verdict);
  });
}

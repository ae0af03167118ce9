import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import type { AccountId } from "../../src/core/account.ts";
import {
  endsAt,
  observe,
  type QuotaWindow,
  type QuotaWindows,
  running,
} from "../../src/core/quota/quota.ts";
import {
  after,
  DAY_MS,
  HOUR_MS,
  instantFromMs,
  MINUTE_MS,
} from "../../src/core/time.ts";
import type { HeaderList } from "../../src/ports.ts";
import {
  observation,
  overage,
  responseFacts,
} from "../../src/wire/answer/ratelimit.ts";
import { trials } from "../fixtures/trials.ts";
import { API_KEY_SERVED, FIVE_HOURS_SPENT, SERVED } from "./captured.ts";

const WORK = "work" as AccountId;
/** 2026-07-27T14:00:00Z, six hours before the five-hour reset of SERVED. */
const NOW = instantFromMs(Date.UTC(2026, 6, 27, 16, 0, 0));
const RESET = Date.UTC(2026, 6, 27, 20, 0, 0);

function windowsOf(headers: HeaderList, now = NOW): QuotaWindow[] {
  return [...observation(headers, WORK, now)?.windows ?? []];
}

function unified(fields: Readonly<Record<string, string>>): HeaderList {
  return Object.entries(fields).map(([name, value]) =>
    [`Anthropic-RateLimit-Unified-${name}`, value] as const
  );
}

Deno.test("observation() reads the windows of a served answer", () => {
  deepStrictEqual(observation(SERVED, WORK, NOW), {
    accountId: WORK,
    at: NOW,
    source: "response_headers",
    windows: [
      {
        key: "5h",
        lengthMs: 5 * HOUR_MS,
        family: null,
        utilization: 0.01,
        status: "allowed",
        resetsAt: RESET,
        observedAt: NOW,
        source: "response_headers",
      },
      {
        key: "7d",
        lengthMs: 7 * DAY_MS,
        family: null,
        utilization: 0,
        status: "allowed",
        resetsAt: 1785751200000,
        observedAt: NOW,
        source: "response_headers",
      },
    ],
    overage: {
      status: "rejected",
      isInUse: false,
      disabledReason: "org_level_disabled",
    },
  });
  const silent = unified({ "5h-utilization": "0.5" });
  strictEqual(observation(silent, WORK, NOW)?.overage, null);
});

Deno.test("observation() is null where no header speaks of a window", () => {
  strictEqual(observation([], WORK, NOW), null);
  const noWindow = unified({
    "overage-utilization": "0.9",
    "overage-status": "rejected",
    "overage-reset": "1785182400",
    "fallback-percentage": "0.5",
    "fallback-utilization": "1",
    "grace-status": "rejected",
    "grace-reset": "1785182400",
    "slow-budget-reset": "1785182400",
    "slow-utilization": "1",
    "upgrade-paths": "max",
    "reset": "1785182400",
    "5h-utilization": "a lot",
    "5h-status": "perhaps",
    "5h-reset": "soon",
  });
  strictEqual(observation(noWindow, WORK, NOW), null);
});

Deno.test("observation() reads windows with unknown names", () => {
  const windows = windowsOf(unified({
    "30d-utilization": "0.25",
    "monthly-utilization": "0.5",
    "5h_oi-utilization": "0.1",
    "7d_oi-utilization": "1.02",
    "7d_opus-status": "rejected",
    "7d_cowork-utilization": "1",
  }));
  deepStrictEqual(
    windows.map(({ key, family, utilization, lengthMs }) =>
      [key, family, utilization, lengthMs / HOUR_MS] as const
    ),
    [
      ["30d", null, 0.25, 720],
      ["monthly", null, 0.5, 5],
      ["5h_oi", "fable", 0.1, 5],
      ["7d_oi", "fable", 1.02, 168],
      ["7d_opus", "opus", null, 168],
      ["7d_cowork", "cowork", 1, 168],
    ],
  );
});

Deno.test("observation() takes strict decimals only", () => {
  const senseless = [
    "",
    "-0.1",
    "1e-1",
    ".5",
    "5.",
    "NaN",
    "50%",
    "0,5",
    "null",
  ];
  for (const value of senseless) {
    const [window] = windowsOf(unified({
      "5h-utilization": value,
      "5h-status": "allowed",
    }));
    strictEqual(window?.utilization, null, value);
  }
  const [window] = windowsOf(unified({ "5h-utilization": " 1.37 " }));
  strictEqual(window?.utilization, 1.37);
});

Deno.test("observation() takes a window past its reset as unused", () => {
  const seconds = String(NOW / 1000);
  for (const reset of [seconds, "1785100000", "1"]) {
    const [window] = windowsOf(unified({
      "5h-utilization": "0.99",
      "5h-status": "rejected",
      "5h-reset": reset,
    }));
    strictEqual(window?.utilization, 0);
    strictEqual(window?.status, null);
    strictEqual(window?.resetsAt, null);
  }
});

Deno.test("observation() keeps a figure whose reset is absent or unparseable", () => {
  for (const reset of [null, "0", "-1", "never"]) {
    const [window] = windowsOf(unified({
      "5h-utilization": "0.99",
      ...(reset === null ? {} : { "5h-reset": reset }),
    }));
    strictEqual(window?.utilization, 0.99);
    strictEqual(window?.resetsAt, null);
  }
});

Deno.test("observation() limits a reset to the length of its window", () => {
  const far = unified({
    "5h-utilization": "1",
    "5h-reset": "99999999999",
    "7d-utilization": "1",
    "7d-reset": "9".repeat(300),
    "monthly-utilization": "1",
    "monthly-reset": "99999999999",
  });
  deepStrictEqual(
    windowsOf(far).map(({ resetsAt }) => resetsAt),
    [6 * HOUR_MS, 7 * DAY_MS + HOUR_MS, 31 * DAY_MS + HOUR_MS]
      .map((ms) => after(NOW, ms)),
  );
});

Deno.test("observation() uses the summary only for a window without lines", () => {
  const claimed = unified({
    "status": "rejected",
    "representative-claim": "five_hour",
    "reset": "1785182400",
  });
  const [window] = windowsOf(claimed);
  strictEqual(window?.key, "5h");
  strictEqual(window?.status, "rejected");
  strictEqual(window?.utilization, null);
  strictEqual(window?.resetsAt, RESET);

  const both = [...claimed, ...unified({ "5h-status": "allowed" })];
  deepStrictEqual(windowsOf(both).map(({ status }) => status), ["allowed"]);

  const opus = unified({
    "status": "rejected",
    "representative-claim": "seven_day_opus",
    "reset": "1785182400",
    "5h-status": "allowed",
  });
  deepStrictEqual(
    windowsOf(opus).map(({ key, family, status }) => [key, family, status]),
    [["5h", null, "allowed"], ["7d:opus", "opus", "rejected"]],
  );

  for (const claim of ["overage", "sixty_day", ""]) {
    const odd = unified({
      "status": "rejected",
      "representative-claim": claim,
    });
    strictEqual(observation(odd, WORK, NOW), null, claim);
  }
});

Deno.test("observation() reads an API key's windows", () => {
  const now = instantFromMs(Date.UTC(2026, 6, 27, 14, 0, 0));
  const windows = windowsOf(API_KEY_SERVED, now);
  deepStrictEqual(
    windows.map(({ key, utilization, resetsAt, status, lengthMs }) => [
      key,
      utilization,
      resetsAt === null ? null : resetsAt - now,
      status,
      lengthMs,
    ]),
    [
      ["requests", 1 - 3999 / 4000, 1_000, null, MINUTE_MS],
      ["tokens", 0.75, 45_000, null, MINUTE_MS],
      ["input-tokens", 0, null, null, MINUTE_MS],
      ["output-tokens", 1, 59_000, null, MINUTE_MS],
    ],
  );
});

Deno.test("observation() has no figure for an impossible API limit", () => {
  function spent(limit: string, remaining: string): number | null | undefined {
    return windowsOf([
      ["anthropic-ratelimit-tokens-limit", limit],
      ["anthropic-ratelimit-tokens-remaining", remaining],
      ["anthropic-ratelimit-tokens-reset", "2026-07-27T16:00:30Z"],
    ])[0]?.utilization;
  }
  strictEqual(spent("0", "0"), null);
  strictEqual(spent("x", "5"), null);
  strictEqual(spent("10", ""), null);
  strictEqual(spent("10", "20"), 0);
});

Deno.test("observation() ignores windows with the names of object properties", () => {
  const odd = unified({
    "constructor-utilization": "1",
    "__proto__-utilization": "1",
    "tostring-utilization": "1",
    "-utilization": "1",
    "utilization": "1",
  });
  const keys = windowsOf(odd).map(({ key }) => key);
  deepStrictEqual(keys, ["tostring"]);
});

Deno.test("observation() is bounded however many windows come", () => {
  const many = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, i) => [`${i}d-utilization`, "1"]),
  );
  strictEqual(windowsOf(unified(many)).length, 32);
});

Deno.test("overage() is a fact beside the windows", () => {
  deepStrictEqual(overage(SERVED), {
    status: "rejected",
    isInUse: false,
    disabledReason: "org_level_disabled",
  });
  deepStrictEqual(overage([]), {
    status: null,
    isInUse: false,
    disabledReason: null,
  });
  const paying = unified({ "status": "rejected", "overage-status": "allowed" });
  strictEqual(overage(paying).isInUse, true);
  const warned = unified({
    "status": "rejected",
    "overage-status": "allowed_warning",
  });
  strictEqual(overage(warned).isInUse, true);
  strictEqual(overage(unified({ "overage-in-use": "true" })).isInUse, true);
  strictEqual(
    overage([...paying, ...unified({ "overage-in-use": "false" })]).isInUse,
    false,
  );
});

const seconds = fc.integer({ min: -3 * 86_400, max: 9 * 86_400 })
  .map((offset) => NOW / 1000 + offset);
const reset = fc.oneof(
  seconds.map(String),
  seconds.map((at) => (at + 0.4).toFixed(3)),
  seconds.map((at) => new Date(at * 1000).toISOString()),
  fc.constantFrom("", "0", "null", "soon", "9".repeat(40), "-1"),
);
const utilization = fc.oneof(
  fc.double({ min: 0, max: 1.5, noNaN: true }).map((u) => u.toFixed(3)),
  fc.constantFrom("null", "", "NaN", "-1", "101", "1e9", "Infinity"),
);
const status = fc.constantFrom(
  "allowed",
  "allowed_warning",
  "rejected",
  "odd",
  "",
);
const window = fc.constantFrom("5h", "7d", "7d_oi", "overage", "x", "grace");
const field = fc.oneof(
  fc.tuple(window, utilization).map(([w, v]) => [`${w}-utilization`, v]),
  fc.tuple(window, reset).map(([w, v]) => [`${w}-reset`, v]),
  fc.tuple(window, status).map(([w, v]) => [`${w}-status`, v]),
  fc.tuple(fc.constantFrom("status"), status),
  fc.tuple(fc.constantFrom("reset"), reset),
  fc.tuple(
    fc.constantFrom("representative-claim"),
    fc.constantFrom("five_hour", "seven_day", "seven_day_sonnet", "overage"),
  ),
);
const headerSet: fc.Arbitrary<HeaderList> = fc.array(field, { maxLength: 8 })
  .map((fields) =>
    fields.map(([name, value]) =>
      [`anthropic-ratelimit-unified-${name}`, value ?? ""] as const
    )
  );
const sequence = fc.array(
  fc.tuple(headerSet, fc.nat(6 * HOUR_MS), fc.constantFrom(200, 429)),
  { maxLength: 6 },
);

Deno.test("no sequence of odd headers throws or holds an account for ever", () => {
  fc.assert(
    fc.property(sequence, (sequence) => {
      let known: QuotaWindows = {};
      let now = NOW;
      for (const [headers, waitMs, statusCode] of sequence) {
        now = after(now, waitMs);
        const seen = observation(headers, WORK, now);
        for (const window of seen?.windows ?? []) {
          const { utilization, resetsAt, key } = window;
          ok(utilization === null || utilization >= 0 && utilization < 1e9);
          ok(resetsAt === null || resetsAt > now);
          ok(endsAt(window) <= after(now, 31 * DAY_MS + HOUR_MS), key);
          ok(key !== "overage" && key !== "grace");
        }
        if (seen !== null) known = observe(known, seen);
        const facts = responseFacts(statusCode, headers, null, now);
        const resetsAt = facts.rejected?.resetsAt ?? null;
        ok(resetsAt === null || resetsAt > now);
        if (statusCode === 200) strictEqual(facts.rejected, null);
      }
      deepStrictEqual(running(known, after(now, 32 * DAY_MS)), []);
    }),
    { numRuns: trials(10_000, 100_000) },
  );
});

Deno.test("an early reset upstream frees a window that was used up", () => {
  const spentAt = instantFromMs(RESET - 2 * HOUR_MS);
  const later = after(spentAt, MINUTE_MS);
  const spent = observation(FIVE_HOURS_SPENT, WORK, spentAt);
  const free = observation(
    unified({
      "5h-utilization": "0.02",
      "5h-status": "allowed",
      "5h-reset": "1785196800",
    }),
    WORK,
    later,
  );
  ok(spent !== null && free !== null);
  const known = observe(observe({}, spent), free);
  strictEqual(known["5h"]?.status, "allowed");
  strictEqual(known["5h"]?.utilization, 0.02);
  strictEqual(known["5h"]?.resetsAt, 1785196800000);
});

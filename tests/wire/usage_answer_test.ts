import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import type { AccountId } from "../../src/core/account.ts";
import { DAY_MS, HOUR_MS, instantFromMs } from "../../src/core/time.ts";
import { usageObservation } from "../../src/wire/answer/usage_answer.ts";
import { trials } from "../fixtures/trials.ts";

const WORK = "work" as AccountId;
const NOW = instantFromMs(Date.UTC(2026, 3, 11, 4, 0, 0));
const FIVE_HOUR_RESET = Date.UTC(2026, 3, 11, 7, 0, 1);
const WEEK_RESET = Date.UTC(2026, 3, 15, 0, 0, 0);

type Row = readonly [
  key: string,
  utilization: number | null,
  resetsAt: number | null,
  family: string | null,
];

function rows(json: unknown): Row[] {
  return (usageObservation(json, WORK, NOW)?.windows ?? []).map((window) =>
    [window.key, window.utilization, window.resetsAt, window.family] as const
  );
}

Deno.test("usageObservation() reads the old shape, in percent", () => {
  const json = {
    five_hour: {
      utilization: 33.0,
      resets_at: "2026-04-11T07:00:00.528743+00:00",
    },
    seven_day: { utilization: 1, resets_at: "2026-04-15T00:00:00+00:00" },
    seven_day_opus: { utilization: 88, resets_at: "2026-04-15T00:00:00Z" },
    seven_day_sonnet: null,
    seven_day_oauth_apps: null,
    cinder_cove: { utilization: 5, resets_at: null },
    extra_usage: { is_enabled: true, utilization: 50 },
  };
  const seen = usageObservation(json, WORK, NOW);
  strictEqual(seen?.source, "usage_endpoint");
  strictEqual(seen?.at, NOW);
  deepStrictEqual(rows(json), [
    ["5h", 0.33, FIVE_HOUR_RESET, null],
    ["7d", 0.01, WEEK_RESET, null],
    ["7d:opus", 0.88, WEEK_RESET, "opus"],
  ]);
  deepStrictEqual(
    seen?.windows.map(({ lengthMs, status }) => [lengthMs, status]),
    [[5 * HOUR_MS, null], [7 * DAY_MS, null], [7 * DAY_MS, null]],
  );
});

Deno.test("usageObservation() lets limits[] win over the named windows", () => {
  const resets_at = "2026-04-15T00:00:00Z";
  deepStrictEqual(
    rows({
      limits: [
        { kind: "session", group: "session", percent: 47, resets_at: null },
        { kind: "weekly_all", percent: 12, severity: "warn", resets_at },
        {
          kind: "weekly_scoped",
          percent: 88,
          resets_at,
          scope: { model: { id: null, display_name: "Fable" }, surface: null },
        },
        {
          kind: "weekly_scoped",
          percent: 7,
          resets_at,
          scope: { model: { display_name: "Some New Model" } },
        },
        { kind: "weekly_scoped", percent: 99, resets_at, scope: null },
        {
          kind: "weekly_scoped",
          percent: 99,
          resets_at,
          scope: { model: null, surface: "cowork" },
        },
        { kind: "daily", percent: 99, resets_at },
        null,
        "odd",
      ],
      five_hour: { utilization: 1, resets_at },
      seven_day: { utilization: 2, resets_at },
      seven_day_opus: { utilization: 3, resets_at },
    }),
    [
      ["5h", 0.47, null, null],
      ["7d", 0.12, WEEK_RESET, null],
      ["7d:opus", 0.03, WEEK_RESET, "opus"],
      ["7d:fable", 0.88, WEEK_RESET, "fable"],
      ["7d:some-new-model", 0.07, WEEK_RESET, "some-new-model"],
    ],
  );
});

Deno.test("usageObservation() keeps unknown figures unknown and invents no reset", () => {
  deepStrictEqual(rows({ five_hour: { utilization: 0, resets_at: null } }), [
    ["5h", 0, null, null],
  ]);
  deepStrictEqual(
    rows({ seven_day: { utilization: null, resets_at: 1776211200 } }),
    [["7d", null, WEEK_RESET, null]],
  );
  for (
    const unknown of [
      {},
      null,
      [],
      "text",
      7,
      { five_hour: null, limits: [] },
      { five_hour: {} },
      { five_hour: { utilization: "much", resets_at: "soon" } },
      { five_hour: { utilization: -3 } },
      { five_hour: { utilization: true } },
      { limits: { kind: "session", percent: 5 } },
    ]
  ) strictEqual(usageObservation(unknown, WORK, NOW), null);
});

Deno.test("usageObservation() reads other spellings, and more than 100 %", () => {
  deepStrictEqual(
    rows({
      five_hour: { used_percentage: "101.5", resetsAt: 1776211200000 },
      seven_day: { usedPercentage: 50, reset_at: "1776211200" },
    }),
    [
      ["5h", 1.015, NOW + 6 * HOUR_MS, null],
      ["7d", 0.5, WEEK_RESET, null],
    ],
  );
});

Deno.test("usageObservation() takes a window past its reset as unused", () => {
  deepStrictEqual(
    rows({ five_hour: { utilization: 97, resets_at: "2026-04-11T03:00:00Z" } }),
    [["5h", 0, null, null]],
  );
});

Deno.test("usageObservation() never throws and limits the windows", () => {
  const named = fc.dictionary(
    fc.constantFrom("five_hour", "seven_day", "seven_day_opus", "limits", "x"),
    fc.jsonValue(),
  );
  const limits = fc.record({
    limits: fc.array(
      fc.record({
        kind: fc.constantFrom("session", "weekly_all", "weekly_scoped", "x"),
        percent: fc.oneof(fc.double(), fc.constant(null), fc.string()),
        resets_at: fc.oneof(fc.string(), fc.double(), fc.constant(null)),
        scope: fc.oneof(
          fc.constant(null),
          fc.record({ model: fc.record({ display_name: fc.string() }) }),
        ),
      }),
      { maxLength: 40 },
    ),
  });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), named, limits), (json) => {
      const seen = usageObservation(json, WORK, NOW);
      if (seen === null) return;
      ok(seen.windows.length > 0 && seen.windows.length <= 32);
      for (const { utilization, resetsAt, key } of seen.windows) {
        ok(utilization === null || utilization >= 0);
        ok(resetsAt === null || resetsAt > NOW);
        ok(/^[0-9a-z:._-]{2,80}$/.test(key), key);
      }
    }),
    { numRuns: trials(2_000, 50_000) },
  );
});

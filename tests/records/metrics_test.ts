/** RequestMetrics: what is counted, and that the number of series is bounded. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { metricsText } from "../../src/control/metrics_text.ts";
import { RequestMetrics } from "../../src/records/metrics.ts";
import { requestRecord } from "../fixtures/ledger_rows.ts";
import { accountId } from "../fixtures/pool.ts";

function textOf(metrics: RequestMetrics): string {
  return metricsText(metrics.families((id) => `label of ${id}`));
}

/** The value of the one line that begins so; null if there is none. */
function valueOf(text: string, start: string): number | null {
  const lines = text.split("\n").filter((line) => line.startsWith(start));
  ok(lines.length <= 1, lines.join("\n"));
  const [line] = lines;
  return line === undefined ? null : Number(line.slice(line.lastIndexOf(" ")));
}

Deno.test("requests, tokens, dollars and times are counted by account and model", () => {
  const metrics = new RequestMetrics();
  metrics.add(requestRecord(), 2_500_000_000);
  metrics.add(requestRecord({ isPaid: true, waitedMs: 7_000 }), 1_000_000_000);
  metrics.add(
    requestRecord({
      accountId: null,
      status: 429,
      reason: "closed",
      usage: null,
      firstByteMs: null,
      attempts: [{
        accountId: accountId("home"),
        verdict: "exhausted",
        status: 429,
      }],
      end: "refused",
    }),
    null,
  );
  const text = textOf(metrics);
  const by = 'account="label of work",model="claude-opus-5-5"';
  strictEqual(
    valueOf(text, `tc_requests_total{${by},status="200",reason="bound"}`),
    2,
  );
  const refused =
    'account="none",model="claude-opus-5-5",status="429",reason="closed"';
  strictEqual(valueOf(text, `tc_requests_total{${refused}}`), 1);
  strictEqual(valueOf(text, `tc_tokens_total{${by},kind="cache_read"}`), 1_800);
  strictEqual(valueOf(text, `tc_tokens_total{${by},kind="output"}`), 100);
  strictEqual(valueOf(text, `tc_cost_dollars_total{${by},paid="false"}`), 2.5);
  strictEqual(valueOf(text, `tc_cost_dollars_total{${by},paid="true"}`), 1);
  strictEqual(
    valueOf(
      text,
      'tc_attempts_total{account="label of home",verdict="exhausted"}',
    ),
    1,
  );
  const work = 'account="label of work"';
  const first = "tc_request_first_byte_seconds";
  strictEqual(valueOf(text, `${first}_bucket{${work},le="0.25"}`), 0);
  strictEqual(valueOf(text, `${first}_bucket{${work},le="0.5"}`), 2);
  strictEqual(valueOf(text, `${first}_bucket{${work},le="+Inf"}`), 2);
  strictEqual(valueOf(text, `${first}_sum{${work}}`), 1);
  strictEqual(valueOf(text, `tc_request_wait_seconds_count{${work}}`), 1);
});

Deno.test("5,000 sessions, 500 models and odd statuses make a bounded number of series", () => {
  const metrics = new RequestMetrics();
  for (let n = 0; n < 5_000; n++) {
    metrics.add(
      requestRecord({
        session: `session-${n}`,
        accountId: accountId(`account-${n % 60}`),
        modelAnswered: `model-${n % 500}`,
        status: 200 + n % 300,
      }),
      1_000,
    );
  }
  const text = textOf(metrics);
  ok(!text.includes("session-"), "no session is a label");
  const models = new Set(text.match(/model="[^"]*"/g));
  strictEqual(models.size, 51);
  const lines = text.split("\n").filter((line) =>
    line.startsWith("tc_requests_total")
  );
  ok(lines.length <= 2_001, `${lines.length} series`);
  const total = lines.reduce(
    (sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))),
    0,
  );
  strictEqual(total, 5_000, "none is left out");
});

Deno.test("a label's text is escaped, and a metric without samples is left out", () => {
  const text = metricsText([
    {
      name: "tc_a",
      type: "gauge",
      help: "A.",
      samples: [{ labels: { account: 'a"b\\c\nd' }, value: Infinity }],
    },
    { name: "tc_b", type: "gauge", help: "B.", samples: [] },
  ]);
  deepStrictEqual(text.split("\n"), [
    "# HELP tc_a A.",
    "# TYPE tc_a gauge",
    'tc_a{account="a\\"b\\\\c\\nd"} +Inf',
    "",
  ]);
});

/** Traces and metrics at a collector, by OTLP in JSON and in protobuf. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { Collector, type Otlp, spansIn } from "../fixtures/collector.ts";
import { ServedPool } from "../fixtures/served_pool.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const PROMPT = "CANARYPROMPT-do-not-tell";

/** One request that the first account refuses and another one serves. */
async function failOver(served: ServedPool): Promise<void> {
  served.api.next().reply(429, { rejected: "5h" });
  const response = await fetch(`${served.baseUrl}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      traceparent: `00-${TRACE}-${PARENT}-01`,
      "x-claude-code-session-id": "aaaaaaaa-1111-4222-8333-444444444444",
    },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 20,
      messages: [{ role: "user", content: PROMPT }],
      tools: [{ name: "Bash", input_schema: {} }],
    }),
  });
  strictEqual(response.status, 200, await response.text());
}

function metricNamed(messages: readonly Otlp[], name: string): Otlp {
  const metrics = messages.flatMap(({ resourceMetrics }) =>
    resourceMetrics[0].scopeMetrics[0].metrics
  );
  return metrics.find((metric) => metric.name === name);
}

for (const protocol of ["http/json", "http/protobuf"] as const) {
  Deno.test(`a request that failed over is one trace with both tries (${protocol})`, async () => {
    await using collector = new Collector();
    // It is busy at first: nothing may be lost by that.
    collector.statuses.push(503);
    await using served = await ServedPool.open({
      accounts: ["work", "home"],
      settings: {
        otel: {
          endpoint: `${collector.url}/otlp`,
          protocol,
          headers: "x-collector=CANARYHEADER",
        },
      },
    });
    await failOver(served);
    for (let tries = 0; tries < 300 && collector.got.length === 0; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // The end of the server sends the metrics.
    await served.pool.tc(["stop"]);
    const spans = spansIn(
      collector.got.filter(({ path }) => path === "/otlp/v1/traces")
        .flatMap((one) => collector.readOne(one)),
    );
    const request = spans.find(({ kind }) => kind === 2);
    const tries = spans.filter(({ kind }) => kind === 3);
    strictEqual(spans.length, 3, JSON.stringify(spans));
    strictEqual(request.traceId, TRACE);
    strictEqual(request.parentSpanId, PARENT);
    strictEqual(request.name, "chat claude-sonnet-5-5");
    const { attributes } = request;
    strictEqual(attributes["gen_ai.operation.name"], "chat");
    strictEqual(attributes["gen_ai.request.model"], "claude-sonnet-5-5");
    strictEqual(attributes["http.response.status_code"], "200");
    strictEqual(attributes["tc.attempts"], "2");
    ok(Number(attributes["gen_ai.usage.input_tokens"]) > 0);
    for (const one of tries) {
      strictEqual(one.traceId, TRACE);
      strictEqual(one.parentSpanId, request.spanId);
      ok(BigInt(one.startTimeUnixNano) >= BigInt(request.startTimeUnixNano));
      ok(BigInt(one.endTimeUnixNano) <= BigInt(request.endTimeUnixNano));
    }
    deepStrictEqual(
      tries.map(({ attributes }) => attributes["tc.verdict"]),
      ["exhausted", "served"],
    );
    deepStrictEqual(tries.map(({ status }) => status?.code ?? 0), [2, 0]);
    const [first, second] = tries.map(({ attributes }) =>
      attributes["tc.account"]
    );
    ok(first !== second);
    strictEqual(new Set(spans.map(({ spanId }) => spanId)).size, 3);

    const measured = collector.got
      .filter(({ path }) => path === "/otlp/v1/metrics")
      .flatMap((one) => collector.readOne(one));
    const { sum } = metricNamed(measured, "tc_requests_total");
    strictEqual(sum.aggregationTemporality, 2);
    strictEqual(sum.isMonotonic, true);
    strictEqual(sum.dataPoints[0].asDouble, 1);
    const { histogram } = metricNamed(
      measured,
      "tc_request_duration_seconds",
    );
    const [point] = histogram.dataPoints;
    strictEqual(point.count, "1");
    strictEqual(point.bucketCounts.length, point.explicitBounds.length + 1);
    strictEqual(
      point.bucketCounts.reduce((n: number, one: string) => n + Number(one), 0),
      1,
    );
    ok(metricNamed(measured, "tc_window_utilization_ratio").gauge);
    for (const { body, headers } of collector.got) {
      const text = new TextDecoder().decode(body);
      ok(!text.includes(PROMPT), "nothing of a prompt");
      ok(!/sk-ant|CANARYHEADER/.test(text), "no secret");
      strictEqual(headers.get("x-collector"), "CANARYHEADER");
    }
  });
}

Deno.test("a collector that hangs delays no request, and config show hides its headers", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = silent.addr as Deno.NetAddr;
  await using served = await ServedPool.open({
    accounts: ["work"],
    settings: {
      otel: { endpoint: `http://127.0.0.1:${port}`, headers: "key=SECRETKEY" },
    },
  });
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  const startedMs = performance.now();
  for (let count = 0; count < 20; count++) {
    const response = await fetch(`${served.baseUrl}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: "claude-sonnet-5-5",
        max_tokens: 5,
        messages: [{ role: "user", content: "hi" }],
      }),
    });
    strictEqual(response.status, 200, await response.text());
  }
  const tookMs = performance.now() - startedMs;
  ok(tookMs < 10_000, `20 requests took ${tookMs} ms`);
  const shown = await served.pool.tc(["config", "show", "otel.headers"]);
  match(shown.stdout, /otel\.headers = \[set\]/);
  ok(!shown.stdout.includes("SECRETKEY"));
});

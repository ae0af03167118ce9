/**
 * Finished requests as spans and counts as metrics, in the JSON form of OTLP
 * (opentelemetry-proto 1.7, the GenAI semantic conventions). Nothing of a
 * prompt, an answer or a credential is in them.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { MetricFamily } from "../../control/metrics_text.ts";
import type { AccountId } from "../../core/account.ts";
import { inert } from "../../core/plain_text.ts";
import { contextTokens } from "../../core/usage.ts";
import type { AttemptRecord, RequestRecord } from "../../ports.ts";

type Value =
  | { readonly stringValue: string }
  | { readonly intValue: string }
  | { readonly arrayValue: { readonly values: readonly Value[] } };

interface Attribute {
  readonly key: string;
  readonly value: Value;
}

/** What the spans and metrics are of. */
export interface OtlpSource {
  readonly version: string;
  readonly pid: number;
  readonly labelOf: (id: AccountId) => string;
}

const SERVER = 2;
const CLIENT = 3;
const FAILED = 2;
/** Counted since the start of the server. */
const CUMULATIVE = 2;

/** Longer texts are cut: clients and provider choose them. */
const TEXT_LENGTH_MAX = 256;

/** Returns the body of a request to `/v1/traces`. */
export function tracesOf(
  records: readonly RequestRecord[],
  source: OtlpSource,
): object {
  const spans = records.flatMap((record) => spansOf(record, source));
  return {
    resourceSpans: [{
      resource: resourceOf(source),
      scopeSpans: [{ scope: scopeOf(source), spans }],
    }],
  };
}

/** Returns one span of the request and one of each try. */
function spansOf(
  record: RequestRecord,
  source: OtlpSource,
): readonly object[] {
  const { traceId, parentSpanId } = contextOf(record);
  const spanId = idOf(`${record.id} request`, 16);
  const { usage, accountId, movedFrom } = record;
  const model = record.modelAsked;
  const isFailed = record.status >= 500 || record.end === "upstream_failed";
  const errorType = record.errorType ??
    (record.status >= 400 ? String(record.status) : null);
  const request = {
    traceId,
    spanId,
    ...(parentSpanId === null ? {} : { parentSpanId }),
    name: model === null ? "request" : `chat ${cut(model)}`,
    kind: SERVER,
    startTimeUnixNano: nano(record.startedAt),
    endTimeUnixNano: nano(record.endedAt),
    attributes: attributes({
      "gen_ai.operation.name": model === null ? null : "chat",
      "gen_ai.provider.name": "anthropic",
      "gen_ai.request.model": model,
      "gen_ai.response.model": record.modelAnswered,
      "gen_ai.conversation.id": record.session,
      "gen_ai.usage.input_tokens": usage === null ? null : contextTokens(usage),
      "gen_ai.usage.output_tokens": usage?.output ?? null,
      "gen_ai.usage.cache_read.input_tokens": usage?.cacheRead ?? null,
      "gen_ai.response.finish_reasons": record.stopReason === null
        ? null
        : [record.stopReason],
      "http.request.method": record.method,
      "http.response.status_code": record.status,
      "url.path": record.path,
      "error.type": errorType,
      "tc.request.id": record.id,
      "tc.account": accountId === null ? null : source.labelOf(accountId),
      "tc.reason": record.reason,
      "tc.moved_from": movedFrom === null ? null : source.labelOf(movedFrom),
      "tc.policy": record.policy,
      "tc.waited_ms": Math.round(record.waitedMs),
      "tc.attempts": record.attempts.length,
      "tc.end": record.end,
    }),
    ...(isFailed ? { status: { code: FAILED } } : {}),
  };
  return [
    request,
    ...record.attempts.map((attempt, index) =>
      attemptSpan(attempt, {
        traceId,
        parentSpanId: spanId,
        spanId: idOf(`${record.id} ${index}`, 16),
        record,
        source,
      })
    ),
  ];
}

function attemptSpan(
  { accountId, verdict, status, startedAt, judgedAt }: AttemptRecord,
  { traceId, parentSpanId, spanId, record, source }: {
    readonly traceId: string;
    readonly parentSpanId: string;
    readonly spanId: string;
    readonly record: RequestRecord;
    readonly source: OtlpSource;
  },
): object {
  const isServed = verdict === "served";
  const label = source.labelOf(accountId);
  return {
    traceId,
    spanId,
    parentSpanId,
    name: `attempt ${cut(label)}`,
    kind: CLIENT,
    startTimeUnixNano: nano(startedAt ?? record.startedAt),
    // The try that served lasts until the end of its answer.
    endTimeUnixNano: nano(
      isServed ? record.endedAt : judgedAt ?? record.endedAt,
    ),
    attributes: attributes({
      "gen_ai.provider.name": "anthropic",
      "http.response.status_code": status,
      "error.type": isServed ? null : verdict,
      "tc.account": label,
      "tc.verdict": verdict,
    }),
    ...(isServed ? {} : { status: { code: FAILED } }),
  };
}

/** `00-<trace id>-<span id>-<flags>` (W3C Trace Context, level 1). */
const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
const NO_ID = /^0+$/;

/** Returns the client's trace, if it sent one, or a trace of its own. */
function contextOf(
  { id, traceParent }: RequestRecord,
): { readonly traceId: string; readonly parentSpanId: string | null } {
  const [, traceId = "", spanId = ""] = TRACE_PARENT.exec(traceParent ?? "") ??
    [];
  return NO_ID.test(traceId) || NO_ID.test(spanId) || traceId === ""
    ? { traceId: idOf(`${id} trace`, 32), parentSpanId: null }
    : { traceId, parentSpanId: spanId };
}

/** Returns an id of `digits` hex digits that follows from the request's id. */
function idOf(text: string, digits: 16 | 32): string {
  return createHash("sha256").update(text).digest("hex").slice(0, digits);
}

/** Returns the body of a request to `/v1/metrics`. */
export function metricsOf(
  families: readonly MetricFamily[],
  { startedAtMs, nowMs, ...source }: OtlpSource & {
    readonly startedAtMs: number;
    readonly nowMs: number;
  },
): object {
  const times = {
    startTimeUnixNano: nano(startedAtMs),
    timeUnixNano: nano(nowMs),
  };
  const metrics = families.filter(({ samples }) => samples.length > 0)
    .map((family) => metricOf(family, times));
  return {
    resourceMetrics: [{
      resource: resourceOf(source),
      scopeMetrics: [{ scope: scopeOf(source), metrics }],
    }],
  };
}

interface Times {
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
}

function metricOf(
  { name, type, help, samples }: MetricFamily,
  times: Times,
): object {
  const named = { name, description: help, unit: unitOf(name) };
  if (type === "histogram") {
    const dataPoints = histogramPoints(samples, times);
    const aggregationTemporality = CUMULATIVE;
    return { ...named, histogram: { dataPoints, aggregationTemporality } };
  }
  const dataPoints = samples.map(({ labels, value }) => ({
    ...times,
    asDouble: value,
    attributes: attributes(labels),
  }));
  return type === "gauge" ? { ...named, gauge: { dataPoints } } : {
    ...named,
    sum: { dataPoints, aggregationTemporality: CUMULATIVE, isMonotonic: true },
  };
}

/** The unit in a metric's name, in the form that OTLP asks for (UCUM). */
function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return "s";
  if (/_bytes$/.test(name)) return "By";
  return /_dollars(_total)?$/.test(name) ? "USD" : "1";
}

/** Puts the lines of a Prometheus histogram together, one point a series. */
function histogramPoints(
  samples: MetricFamily["samples"],
  times: Times,
): readonly object[] {
  const series = Map.groupBy(
    samples,
    ({ labels: { le: _bound, ...own } }) => JSON.stringify(own),
  );
  return [...series].map(([key, lines]) => {
    const buckets = lines.filter(({ suffix }) => suffix === "_bucket");
    const one = (suffix: string) =>
      lines.find((line) => line.suffix === suffix)?.value ?? 0;
    return {
      ...times,
      count: String(one("_count")),
      sum: one("_sum"),
      // Prometheus counts each bucket with all that are below it.
      bucketCounts: buckets.map(({ value }, at) =>
        String(value - (buckets[at - 1]?.value ?? 0))
      ),
      explicitBounds: buckets.map(({ labels }) => Number(labels["le"]))
        .filter(Number.isFinite),
      attributes: attributes(JSON.parse(key)),
    };
  });
}

function resourceOf({ version, pid }: OtlpSource): object {
  return {
    attributes: attributes({
      "service.name": "tc",
      "service.version": version,
      "process.pid": pid,
    }),
  };
}

function scopeOf({ version }: OtlpSource): object {
  return { name: "tc", version };
}

/** Returns the attributes whose value is known. */
function attributes(
  values: Readonly<
    Record<string, string | number | readonly string[] | null | undefined>
  >,
): readonly Attribute[] {
  return Object.entries(values).flatMap(([key, value]) =>
    value === null || value === undefined
      ? []
      : [{ key, value: valueOf(value) }]
  );
}

function valueOf(value: string | number | readonly string[]): Value {
  if (typeof value === "string") return { stringValue: cut(value) };
  return typeof value === "number"
    ? { intValue: String(Math.round(value)) }
    : { arrayValue: { values: value.map(valueOf) } };
}

function cut(text: string): string {
  return inert(text).slice(0, TEXT_LENGTH_MAX);
}

function nano(ms: number): string {
  return String(BigInt(Math.round(ms)) * 1_000_000n);
}

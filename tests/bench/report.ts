/** From readings to a table, to JSON and to the page in docs. */

import type { Skipped } from "./targets.ts";

/** One figure, and which way is better. */
export interface Metric {
  readonly key: string;
  readonly text: string;
  readonly unit: string;
  readonly isMoreBetter: boolean;
  /** Decimals in the table. */
  readonly digits: number;
}

export const METRICS: readonly Metric[] = [
  metric("json1", "JSON, 1 connection, p50", "µs", 0),
  metric("json32", "JSON, 32 connections", "req/s", 0, true),
  metric("json32p99", "JSON, 32 connections, p99", "ms", 1),
  metric("json32cpu", "JSON, 32 connections, CPU a request", "µs", 0),
  metric("sse50first", "50 streams, first byte p50", "ms", 1),
  metric("sse50p50", "50 streams, event delay p50", "µs", 0),
  metric("sse50p99", "50 streams, event delay p99", "µs", 0),
  metric("sse500first", "500 streams, first byte p50", "ms", 1),
  metric("sse500p50", "500 streams, event delay p50", "µs", 0),
  metric("sse500p99", "500 streams, event delay p99", "µs", 0),
  metric("sse60cpu", "60 streams, CPU an event", "µs", 1),
  metric("sse2000p99", "2,000 streams, event delay p99", "µs", 0),
  metric("upload", "1 MB uploads, 8 connections", "MB/s", 0, true),
  metric("turn100", "a turn with 0.1 MB of conversation, CPU", "µs", 0),
  metric("turn700", "a turn with 0.7 MB of conversation, CPU", "µs", 0),
  metric("turn2200", "a turn with 2.2 MB of conversation, CPU", "µs", 0),
  metric("rssRest", "memory at rest", "MB", 0),
  metric("rss500", "memory with 500 streams", "MB", 0),
];

function metric(
  key: string,
  text: string,
  unit: string,
  digits: number,
  ...more: readonly boolean[]
): Metric {
  return { key, text, unit, digits, isMoreBetter: more[0] ?? false };
}

/** By target, by metric, one figure a round. */
export type Readings = Map<string, Map<string, number[]>>;

export function note(
  readings: Readings,
  target: string,
  figures: Readonly<Record<string, number>>,
): void {
  const own = readings.get(target) ?? new Map<string, number[]>();
  readings.set(target, own);
  for (const [key, value] of Object.entries(figures)) {
    own.set(key, [...own.get(key) ?? [], value]);
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? NaN;
}

/** The median of the ratios round by round, so that a busy moment hits both. */
function ratio(
  readings: Readings,
  target: string,
  { key, to }: { readonly key: string; readonly to: string },
): number {
  const own = readings.get(target)?.get(key) ?? [];
  const other = readings.get(to)?.get(key) ?? [];
  return median(own.map((value, round) => value / (other[round] ?? NaN)));
}

export interface Report {
  readonly schema: "tc.bench/v1";
  readonly at: string;
  readonly machine: string;
  /** How busy it was besides. */
  readonly load: string;
  readonly command: string;
  readonly rounds: number;
  readonly targets: readonly string[];
  readonly skipped: readonly Skipped[];
  readonly figures: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** To bare Node. */
  readonly ratios: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Failed requests and streams, by target. */
  readonly failed: Readonly<Record<string, number>>;
}

export function reportOf(
  readings: Readings,
  about: Pick<
    Report,
    "at" | "machine" | "load" | "command" | "rounds" | "skipped" | "failed"
  >,
): Report {
  const figures: Record<string, Record<string, number>> = {};
  const ratios: Record<string, Record<string, number>> = {};
  for (const [target, own] of readings) {
    figures[target] = {};
    ratios[target] = {};
    for (const [key, values] of own) {
      figures[target][key] = median(values);
      ratios[target][key] = ratio(readings, target, { key, to: "node" });
    }
  }
  const targets = [...readings.keys()];
  return { schema: "tc.bench/v1", ...about, targets, figures, ratios };
}

/** The figures in columns; behind each the ratio to bare Node. */
export function table({ targets, figures, ratios }: Report): string {
  const head = ["", ...targets];
  const lines = METRICS.map(({ key, text, unit, digits }) => [
    `${text}, ${unit}`,
    ...targets.map((target) => {
      const value = figures[target]?.[key];
      if (value === undefined || Number.isNaN(value)) return "-";
      const times = ratios[target]?.[key];
      const shown = times === undefined || Number.isNaN(times)
        ? ""
        : ` (${times.toFixed(2)})`;
      return `${value.toFixed(digits)}${shown}`;
    }),
  ]);
  return markdown([
    head,
    head.map((_, at) => at === 0 ? "---" : "---:"),
    ...lines,
  ]);
}

function markdown(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0))
  );
  return rows.map((row) =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`
  ).join("\n");
}

/** The part of the page that the task writes. */
export function page(report: Report): string {
  const skipped = report.skipped.map(({ name, why }) => `${name}: ${why}`);
  return [
    "# Benchmarks",
    "",
    "Written by `deno task bench`. The figures are medians over " +
    `${report.rounds} rounds in which all take turns; in brackets the ratio to ` +
    "a bare `node:http` proxy, the median of the ratios round by round.",
    "",
    `- ${report.at}, ${report.machine}`,
    `- ${report.load}`,
    `- \`${report.command}\``,
    `- skipped: ${skipped.length === 0 ? "nothing" : skipped.join("; ")}`,
    `- failed requests and streams: ${failedText(report)}`,
    "",
    table(report),
    "",
  ].join("\n");
}

/** Returns how many requests and streams failed, by target. */
export function failedText({ failed }: Pick<Report, "failed">): string {
  return Object.entries(failed).map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

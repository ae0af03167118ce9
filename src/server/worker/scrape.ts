/**
 * Answers a scrape of `/metrics`: counts of requests, the status view in
 * numbers, and what the process itself uses.
 *
 * @module
 */

import process from "node:process";
import {
  counter,
  gauge,
  type MetricFamily,
  metricsText,
  statusFamilies,
} from "../../control/metrics_text.ts";
import type { StatusView } from "../../control/protocol.ts";
import type { UpstreamPool } from "../../http/upstream.ts";
import type { Journal } from "../../ports.ts";
import type { RequestMetrics } from "../../records/metrics.ts";
import type { Records } from "../../records/records.ts";

const MICROSECONDS = 1e6;

/** What is scraped besides the status view. */
interface Scraped {
  readonly metrics: RequestMetrics;
  readonly upstream: UpstreamPool;
  readonly records: Records;
}

/** Returns the metrics in the Prometheus text format. */
export function scrapeText(status: StatusView, scraped: Scraped): string {
  return metricsText(scrapeFamilies(status, scraped));
}

/** Returns everything that is measured. */
export function scrapeFamilies(
  status: StatusView,
  { metrics, upstream, records }: Scraped,
): readonly MetricFamily[] {
  const labels = new Map(status.accounts.map(({ id, label }) => [id, label]));
  return [
    ...metrics.families((id) => labels.get(id) ?? id),
    ...statusFamilies(status),
    ...upstreamFamilies(upstream),
    gauge(
      "tc_ledger_rows_waiting",
      "Finished requests that are not in the ledger's file yet.",
      [{ labels: {}, value: records.unwritten }],
    ),
    counter(
      "tc_ledger_rows_lost_total",
      "Finished requests that could never be written to the ledger.",
      [{ labels: {}, value: records.lostRows }],
    ),
    ...processFamilies(),
  ];
}

function upstreamFamilies(upstream: UpstreamPool): readonly MetricFamily[] {
  const { open, idle, opened, reused } = upstream.statistics();
  return [
    gauge("tc_upstream_connections", "Connections to the upstream.", [
      { labels: { state: "busy" }, value: open - idle },
      { labels: { state: "idle" }, value: idle },
    ]),
    counter(
      "tc_upstream_connections_opened_total",
      "Connections to the upstream that were opened.",
      [{ labels: {}, value: opened }],
    ),
    counter(
      "tc_upstream_connections_reused_total",
      "Requests that found a connection to the upstream open.",
      [{ labels: {}, value: reused }],
    ),
  ];
}

function processFamilies(): readonly MetricFamily[] {
  const { user, system } = process.cpuUsage();
  return [
    gauge(
      "process_resident_memory_bytes",
      "Memory of the server's process.",
      [{ labels: {}, value: Deno.memoryUsage().rss }],
    ),
    counter(
      "process_cpu_seconds_total",
      "Processor time of the server's process.",
      [{ labels: {}, value: (user + system) / MICROSECONDS }],
    ),
  ];
}

/** Returns a journal that counts its lines, besides those of requests. */
export function countedJournal(
  journal: Journal,
  metrics: RequestMetrics,
): Journal {
  return {
    log(level, event, fields): void {
      if (event !== "request") metrics.addLine(level, event);
      journal.log(level, event, fields);
    },
  };
}

/**
 * Metrics in the Prometheus text format (version 0.0.4), and those that the
 * status view holds. Every scrape reads the same view as the Deck, so that the
 * two never differ.
 *
 * @module
 */

import type { AccountStateName, AccountView } from "./account_views.ts";
import type { StatusView } from "./protocol.ts";

/** The type of the answer to a scrape. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** One line of a metric. */
export interface MetricSample {
  /** Added to the name of the family: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with all its samples. */
export interface MetricFamily {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence. */
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

/** Returns the families as text; those without samples are left out. */
export function metricsText(families: readonly MetricFamily[]): string {
  return families.filter(({ samples }) => samples.length > 0).map(
    ({ name, type, help, samples }) =>
      [
        `# HELP ${name} ${help.replaceAll("\\", "\\\\")}`,
        `# TYPE ${name} ${type}`,
        ...samples.map((sample) => sampleText(name, sample)),
        "",
      ].join("\n"),
  ).join("");
}

function sampleText(
  name: string,
  { suffix = "", labels, value }: MetricSample,
): string {
  const pairs = Object.entries(labels).map(([label, text]) =>
    `${label}="${escaped(text)}"`
  );
  const braces = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  return `${name}${suffix}${braces} ${numberText(value)}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  return Number.isNaN(value) ? "NaN" : String(value);
}

const STATES: readonly AccountStateName[] = [
  "ready",
  "limited",
  "spent",
  "resting",
  "signed_out",
  "unreachable",
  "off",
  "unknown",
  "reserve",
  "paying",
];

const SECOND_MS = 1_000;

/** Returns what the status view says in numbers. */
export function statusFamilies(status: StatusView): readonly MetricFamily[] {
  return [
    gauge("tc_build_info", "The running build; always 1.", [
      { labels: { version: status.server.version }, value: 1 },
    ]),
    gauge(
      "process_start_time_seconds",
      "When the server started, in seconds since the epoch.",
      [{ labels: {}, value: status.server.startedAt.ms / SECOND_MS }],
    ),
    ...accountFamilies(status.accounts),
    ...windowFamilies(status.accounts),
    gauge(
      "tc_requests_open",
      "Requests that are being served, by what they do.",
      countBy(status.requests.map(({ state }) => state), [
        "waiting",
        "held",
        "sent",
        "streaming",
      ]).map(([state, value]) => ({ labels: { state }, value })),
    ),
    gauge(
      "tc_requests_waiting",
      "Requests that wait for an account, by the reason.",
      countBy(
        status.requests.filter(({ state }) =>
          state === "waiting" || state === "held"
        ).map(({ reason }) => reason ?? "unknown"),
        ["warm_account", "shared_prompt", "full", "closed", "parked"],
      ).map(([reason, value]) => ({ labels: { reason }, value })),
    ),
    gauge(
      "tc_capacity_headroom",
      "How many more conversations the pool serves at once.",
      [{ labels: {}, value: status.capacity.headroom }],
    ),
    gauge(
      "tc_notices",
      "Problems that need a person, by how bad they are.",
      countBy(status.notices.map(({ level }) => level), ["warn", "error"])
        .map(([level, value]) => ({ labels: { level }, value })),
    ),
  ];
}

function accountFamilies(
  accounts: readonly AccountView[],
): readonly MetricFamily[] {
  return [
    gauge(
      "tc_account_state",
      "1 for the state that the account is in, 0 for the others.",
      accounts.flatMap(({ label, state }) =>
        STATES.map((one) => ({
          labels: { account: label, state: one },
          value: one === state ? 1 : 0,
        }))
      ),
    ),
    gauge(
      "tc_account_requests_in_flight",
      "Requests that the account serves.",
      accounts.map(({ label, inFlight }) => ({
        labels: { account: label },
        value: inFlight,
      })),
    ),
    gauge(
      "tc_account_conversations",
      "Conversations that were served by the account within ten minutes.",
      accounts.map(({ label, conversations }) => ({
        labels: { account: label },
        value: conversations,
      })),
    ),
    gauge(
      "tc_account_paid_limit_dollars",
      "The user's limit on what the account may cost in a period.",
      accounts.flatMap(({ label, limit }) =>
        limit === null ? [] : [{
          labels: { account: label, per: limit.per },
          value: limit.max,
        }]
      ),
    ),
    gauge(
      "tc_account_paid_dollars",
      "What the account has cost in the period of its limit.",
      accounts.flatMap(({ label, limit }) =>
        limit === null ? [] : [{
          labels: { account: label, per: limit.per },
          value: limit.paid,
        }]
      ),
    ),
  ];
}

function windowFamilies(
  accounts: readonly AccountView[],
): readonly MetricFamily[] {
  const windows = accounts.flatMap(({ label, windows }) =>
    windows.map((window) => ({
      labels: { account: label, window: window.key },
      window,
    }))
  );
  return [
    gauge(
      "tc_window_utilization_ratio",
      "The used part of a quota window, as the provider last stated it.",
      windows.flatMap(({ labels, window: { utilization } }) =>
        utilization === null ? [] : [{ labels, value: utilization }]
      ),
    ),
    gauge(
      "tc_window_reset_timestamp_seconds",
      "When a quota window refills, in seconds since the epoch.",
      windows.flatMap(({ labels, window: { resetsAt } }) =>
        resetsAt === null ? [] : [{ labels, value: resetsAt.ms / SECOND_MS }]
      ),
    ),
    gauge(
      "tc_window_observed_timestamp_seconds",
      "When the provider last stated a quota window, in seconds since the epoch.",
      windows.map(({ labels, window: { observedAt } }) => ({
        labels,
        value: observedAt.ms / SECOND_MS,
      })),
    ),
  ];
}

/** Returns a gauge with these samples. */
export function gauge(
  name: string,
  help: string,
  samples: readonly MetricSample[],
): MetricFamily {
  return { name, type: "gauge", help, samples };
}

/** Returns a counter with these samples. */
export function counter(
  name: string,
  help: string,
  samples: readonly MetricSample[],
): MetricFamily {
  return { name, type: "counter", help, samples };
}

/** Counts `words`; those of `usual` are there also if none is. */
function countBy(
  words: readonly string[],
  usual: readonly string[],
): readonly (readonly [word: string, count: number])[] {
  const counts = new Map(usual.map((word) => [word, 0]));
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts];
}

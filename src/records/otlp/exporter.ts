/**
 * Sends traces and metrics to an OpenTelemetry collector by OTLP/HTTP, beside
 * the requests: a finished request only enters a bounded queue.
 *
 * @module
 */

import type { MetricFamily } from "../../control/metrics_text.ts";
import { MINUTE_MS, SECOND_MS } from "../../core/time.ts";
import { reasonOf } from "../../errors.ts";
import type { Clock, Journal, RequestRecord, Upstream } from "../../ports.ts";
import { metricsOf, type OtlpSource, tracesOf } from "./messages.ts";
import { METRICS, protobuf, TRACES } from "./protobuf.ts";

interface ExporterOptions extends OtlpSource {
  /** The collector's address, below which the paths are; not empty. */
  readonly endpoint: string;
  readonly protocol: "http/protobuf" | "http/json";
  /** `name=value` pairs, separated by commas: what the collector asks for. */
  readonly headers: string;
  /** Connections of its own, closed with it. */
  readonly upstream: Upstream & { close(): void };
  readonly clock: Clock;
  readonly journal: Journal;
}

/** Requests that wait for a collector that is away; the oldest are dropped. */
const QUEUE_MAX = 2_048;
/** Requests in one message. */
const BATCH = 256;
const FLUSH_MS = 5 * SECOND_MS;
const METRICS_MS = 30 * SECOND_MS;
const ANSWER_MS_MAX = 10 * SECOND_MS;
/** At the end of the server the collector gets no longer than this. */
const LAST_MS_MAX = 2 * SECOND_MS;
const PAUSE_MS_MAX = MINUTE_MS;

/** The statuses after which OTLP asks to send again; others drop the message. */
const AGAIN: readonly number[] = [429, 502, 503, 504];

type Sent = "taken" | "again" | "refused";

export class OtlpExporter {
  readonly #options: ExporterOptions;
  readonly #startedAtMs: number;
  readonly #ending = new AbortController();
  readonly #headers: readonly (readonly [string, string])[];
  #queue: RequestRecord[] = [];
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #metricsAtMs: number;
  #pauseMs = 0;
  /** Whether the last message was not taken, which is logged once. */
  #isFailing = false;
  #families: (() => readonly MetricFamily[]) | null = null;
  #round: Promise<void> = Promise.resolve();

  constructor(options: ExporterOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.now();
    this.#metricsAtMs = options.clock.monotonicMs() + METRICS_MS;
    this.#headers = headersOf(options);
    this.#plan();
  }

  /** Requests that were never sent, because the collector was away. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Sends the metrics that `families` returns as well, from now on. */
  measures(families: () => readonly MetricFamily[]): void {
    this.#families = families;
  }

  /** Queues a finished request. Does nothing else. */
  finished(record: RequestRecord): void {
    this.#queue.push(record);
    if (this.#queue.length <= QUEUE_MAX) return;
    this.#queue.shift();
    this.#dropped += 1;
  }

  /** Sends what is left, for a moment. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const late = setTimeout(() => this.#ending.abort(), LAST_MS_MAX);
    await this.#round;
    this.#metricsAtMs = 0;
    await this.#flush();
    this.#ending.abort();
    clearTimeout(late);
    this.#options.upstream.close();
  }

  #plan(): void {
    this.#timer = setTimeout(() => {
      this.#round = this.#flush().finally(() => {
        if (this.#timer !== null) this.#plan();
      });
    }, FLUSH_MS + this.#pauseMs);
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, BATCH);
      const message = tracesOf(batch, this.#options);
      const sent = await this.#send("/v1/traces", message, TRACES);
      if (sent === "refused") this.#dropped += batch.length;
      if (sent !== "again") continue;
      this.#queue = [...batch, ...this.#queue];
      const surplus = this.#queue.length - QUEUE_MAX;
      if (surplus > 0) {
        this.#queue.splice(0, surplus);
        this.#dropped += surplus;
      }
      return;
    }
    const { clock } = this.#options;
    const families = this.#families;
    if (families === null || clock.monotonicMs() < this.#metricsAtMs) return;
    this.#metricsAtMs = clock.monotonicMs() + METRICS_MS;
    const message = metricsOf(families(), {
      ...this.#options,
      startedAtMs: this.#startedAtMs,
      nowMs: clock.now(),
    });
    await this.#send("/v1/metrics", message, METRICS);
  }

  async #send(
    path: string,
    message: object,
    kind: Parameters<typeof protobuf>[1],
  ): Promise<Sent> {
    const { endpoint, protocol, upstream } = this.#options;
    const url = new URL(endpoint);
    const body = protocol === "http/json"
      ? new TextEncoder().encode(JSON.stringify(message))
      : protobuf(message, kind);
    try {
      const response = await upstream.send({
        origin: url.origin,
        method: "POST",
        target: `${url.pathname.replace(/\/+$/, "")}${path}`,
        headers: this.#headers,
        body,
        signal: AbortSignal.any([
          this.#ending.signal,
          AbortSignal.timeout(ANSWER_MS_MAX),
        ]),
      });
      response.body.cancel();
      const { status } = response;
      if (status >= 200 && status <= 299) return this.#note("taken", "");
      const how = AGAIN.includes(status) ? "again" : "refused";
      return this.#note(how, `the collector answers with status ${status}`);
    } catch (cause) {
      return this.#note("again", reasonOf(cause));
    }
  }

  #note(sent: Sent, reason: string): Sent {
    const isFailing = sent !== "taken";
    if (isFailing && !this.#isFailing) {
      this.#options.journal.log("warn", "otel", { reason });
    }
    this.#isFailing = isFailing;
    this.#pauseMs = sent === "again"
      ? Math.min(PAUSE_MS_MAX, Math.max(FLUSH_MS, this.#pauseMs * 2))
      : 0;
    return sent;
  }
}

function headersOf(
  { protocol, headers, version }: ExporterOptions,
): readonly (readonly [string, string])[] {
  const own = headers.split(",").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at <= 0
      ? []
      : [[pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const];
  });
  const type = protocol === "http/json"
    ? "application/json"
    : "application/x-protobuf";
  return [["content-type", type], ["user-agent", `tc/${version}`], ...own];
}

/**
 * Counts of finished requests for `/metrics`, since the server started. The
 * number of time series is bounded, whatever clients and provider send: no
 * session is a label, and names past a limit are counted as `other`.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import {
  counter,
  type MetricFamily,
  type MetricSample,
} from "../control/metrics_text.ts";
import type { RequestRecord } from "../ports.ts";

/** Names of models and numbers of statuses that get a series of their own. */
const MODELS_MAX = 50;
const STATUSES_MAX = 40;
/** The most series of one metric; what is above them is counted as `other`. */
const SERIES_MAX = 2_000;

const OTHER = "other";
/** For requests that no account served, and models that were not named. */
const NONE = "none";

/** Upper bounds of the buckets, in seconds. */
const FIRST_BYTE_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const DURATION_BUCKETS = [0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const WAIT_BUCKETS = [0.1, 1, 5, 15, 60, 300, 600, 1_800, 3_600];

const NANODOLLARS = 1e9;
const SECOND_MS = 1_000;

/** Counters of one metric by the values of its labels. */
class Counters {
  readonly #names: readonly string[];
  readonly #cells = new Map<string, { values: readonly string[]; n: number }>();

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  add(values: readonly string[], amount: number): void {
    const key = values.join("\n");
    const cell = this.#cells.get(key);
    if (cell !== undefined) cell.n += amount;
    else if (this.#cells.size < SERIES_MAX) {
      this.#cells.set(key, { values, n: amount });
    } else {
      this.#addOther(amount);
    }
  }

  #addOther(amount: number): void {
    const values = this.#names.map(() => OTHER);
    const key = values.join("\n");
    const cell = this.#cells.get(key) ?? { values, n: 0 };
    this.#cells.set(key, cell);
    cell.n += amount;
  }

  /** Returns the samples; `text` turns the value of a label into its text. */
  samples(
    text: (name: string, value: string) => string,
    scale = 1,
  ): readonly MetricSample[] {
    return [...this.#cells.values()].map(({ values, n }) => ({
      labels: Object.fromEntries(
        this.#names.map((name, at) => [name, text(name, values[at] ?? "")]),
      ),
      value: n * scale,
    }));
  }
}

/** One histogram by account. */
class Histograms {
  readonly #bounds: readonly number[];
  readonly #cells = new Map<string, { counts: number[]; sum: number }>();

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  observe(account: string, seconds: number): void {
    let cell = this.#cells.get(account);
    if (cell === undefined) {
      const counts = new Array<number>(this.#bounds.length + 1).fill(0);
      cell = { counts, sum: 0 };
      this.#cells.set(account, cell);
    }
    let at = 0;
    while (seconds > (this.#bounds[at] ?? Infinity)) at++;
    cell.counts[at] = (cell.counts[at] ?? 0) + 1;
    cell.sum += seconds;
  }

  samples(labelOf: (account: string) => string): readonly MetricSample[] {
    return [...this.#cells].flatMap(([id, { counts, sum }]) => {
      const account = labelOf(id);
      let count = 0;
      const buckets = counts.map((n, at): MetricSample => {
        count += n;
        const le = this.#bounds[at]?.toString() ?? "+Inf";
        return { suffix: "_bucket", labels: { account, le }, value: count };
      });
      return [
        ...buckets,
        { suffix: "_sum", labels: { account }, value: sum },
        { suffix: "_count", labels: { account }, value: count },
      ];
    });
  }
}

/** Keeps the first `most` names and calls all further ones `other`. */
class Names {
  readonly #most: number;
  readonly #known = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  of(name: string): string {
    if (this.#known.has(name)) return name;
    if (this.#known.size >= this.#most) return OTHER;
    this.#known.add(name);
    return name;
  }
}

export class RequestMetrics {
  readonly #models = new Names(MODELS_MAX);
  readonly #statuses = new Names(STATUSES_MAX);
  readonly #requests = new Counters(["account", "model", "status", "reason"]);
  readonly #ends = new Counters(["end"]);
  readonly #attempts = new Counters(["account", "verdict"]);
  readonly #moves = new Counters(["from", "to"]);
  readonly #tokens = new Counters(["account", "model", "kind"]);
  readonly #nanodollars = new Counters(["account", "model", "paid"]);
  readonly #lines = new Counters(["level", "event"]);
  readonly #firstByte = new Histograms(FIRST_BYTE_BUCKETS);
  readonly #duration = new Histograms(DURATION_BUCKETS);
  readonly #wait = new Histograms(WAIT_BUCKETS);

  /** Counts a finished request; `costNano` is its price, null if it has none. */
  add(record: RequestRecord, costNano: number | null): void {
    const account = record.accountId ?? NONE;
    const model = this.#models.of(
      record.modelAnswered ?? record.modelAsked ?? NONE,
    );
    const status = this.#statuses.of(String(record.status));
    this.#requests.add([account, model, status, record.reason], 1);
    this.#ends.add([record.end], 1);
    for (const { accountId, verdict } of record.attempts) {
      this.#attempts.add([accountId, verdict], 1);
    }
    if (record.movedFrom !== null && record.accountId !== null) {
      this.#moves.add([record.movedFrom, record.accountId], 1);
    }
    this.#addTokens(account, model, record);
    if (costNano !== null) {
      this.#nanodollars.add([account, model, String(record.isPaid)], costNano);
    }
    this.#duration.observe(account, record.durationMs / SECOND_MS);
    if (record.firstByteMs !== null) {
      this.#firstByte.observe(account, record.firstByteMs / SECOND_MS);
    }
    if (record.waitedMs > 0) {
      this.#wait.observe(account, record.waitedMs / SECOND_MS);
    }
  }

  /** Counts a line of the log. */
  addLine(level: string, event: string): void {
    this.#lines.add([level, event], 1);
  }

  #addTokens(
    account: string,
    model: string,
    { usage }: RequestRecord,
  ): void {
    if (usage === null) return;
    this.#tokens.add([account, model, "input"], usage.input);
    this.#tokens.add([account, model, "cache_read"], usage.cacheRead);
    this.#tokens.add([account, model, "cache_write_5m"], usage.cacheWrite5m);
    this.#tokens.add([account, model, "cache_write_1h"], usage.cacheWrite1h);
    this.#tokens.add([account, model, "output"], usage.output);
  }

  /** Returns the metrics; `labelOf` names an account. */
  families(labelOf: (id: AccountId) => string): readonly MetricFamily[] {
    const name = (id: string): string =>
      id === NONE || id === OTHER ? id : labelOf(id as AccountId);
    const text = (label: string, value: string): string =>
      ["account", "from", "to"].includes(label) ? name(value) : value;
    return [
      counter(
        "tc_requests_total",
        "Finished requests, by account, model, HTTP status and why that account was chosen.",
        this.#requests.samples(text),
      ),
      counter(
        "tc_request_ends_total",
        "Finished requests, by how they ended.",
        this.#ends.samples(text),
      ),
      counter(
        "tc_attempts_total",
        "Tries on accounts, by what the answer said; a request may need several.",
        this.#attempts.samples(text),
      ),
      counter(
        "tc_moves_total",
        "Conversations that went from one account to another.",
        this.#moves.samples(text),
      ),
      counter(
        "tc_tokens_total",
        "Tokens that answers reported, by kind.",
        this.#tokens.samples(text),
      ),
      counter(
        "tc_cost_dollars_total",
        "Cost at list prices; paid says whether it was real money or covered by a plan.",
        this.#nanodollars.samples(text, 1 / NANODOLLARS),
      ),
      counter(
        "tc_log_lines_total",
        "Lines of the log besides those of requests, by what happened.",
        this.#lines.samples(text),
      ),
      histogram(
        "tc_request_first_byte_seconds",
        "Time from the client's last byte to the answer's first.",
        this.#firstByte.samples(name),
      ),
      histogram(
        "tc_request_duration_seconds",
        "Time from the client's last byte to the answer's last.",
        this.#duration.samples(name),
      ),
      histogram(
        "tc_request_wait_seconds",
        "Time that requests waited for an account, of those that did.",
        this.#wait.samples(name),
      ),
    ];
  }
}

function histogram(
  name: string,
  help: string,
  samples: readonly MetricSample[],
): MetricFamily {
  return { name, type: "histogram", help, samples };
}

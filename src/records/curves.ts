/**
 * Keeps the last five hours of the pool for the Deck's curves: tokens, cache
 * hits and the used share of each window, minute by minute. Bounded in memory;
 * it begins with the server.
 *
 * @module
 */

import type { CurvesView } from "../control/protocol.ts";
import { timeView, type UsageSum } from "../control/status_view.ts";
import type { AccountState } from "../core/pool/pool.ts";
import { isRunning } from "../core/quota/quota.ts";
import { HOUR_MS, MINUTE_MS } from "../core/time.ts";
import type { Clock } from "../ports.ts";

const STEP_MS = MINUTE_MS;
const STEPS_MAX = 5 * HOUR_MS / STEP_MS;

/** Windows that have curves; single models' windows have none. */
const KEYS = ["5h", "7d"] as const;

/** Most windows kept; a larger pool shows the first of them. */
const WINDOWS_MAX = 64;

interface CurvesOptions {
  readonly clock: Clock;
  readonly accounts: () => Iterable<AccountState>;
  /** Sums of all requests since the server started. */
  readonly usage: () => UsageSum;
}

interface WindowCurve {
  readonly id: string;
  readonly key: string;
  label: string;
  readonly used: (number | null)[];
}

export class Curves {
  readonly #options: CurvesOptions;
  readonly #stop = new AbortController();
  readonly #tokens: number[] = [];
  readonly #hits: (number | null)[] = [];
  readonly #windows = new Map<string, WindowCurve>();
  #last: UsageSum;

  constructor(options: CurvesOptions) {
    this.#options = options;
    this.#last = options.usage();
  }

  /** Takes a sample each minute, until `stop`. */
  start(): void {
    this.#run();
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return Promise.resolve();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#options.clock.sleep(STEP_MS, signal).catch(() => {
        // The server ends; the loop's condition ends the loop.
      });
      if (!signal.aborted) this.sample();
    }
  }

  /** Adds what happened since the last sample. */
  sample(): void {
    const { usage, accounts, clock } = this.#options;
    const [before, now] = [this.#last, usage()];
    this.#last = now;
    const since = (field: "input" | "output" | "cacheRead" | "cacheWrite") =>
      Math.max(0, now[field] - before[field]);
    const read = since("cacheRead");
    const prompt = since("input") + read + since("cacheWrite");
    push(this.#tokens, since("input") + since("cacheWrite") + since("output"));
    push(this.#hits, prompt === 0 ? null : read / prompt);
    const present = new Set<string>();
    for (const { account, windows } of accounts()) {
      for (const key of KEYS) {
        const window = windows[key];
        const isKnown = window !== undefined &&
          isRunning(window, clock.now());
        const name = `${account.id} ${key}`;
        const curve = this.#curve(name, account.id, key);
        if (curve === null) continue;
        present.add(name);
        curve.label = account.label;
        push(curve.used, isKnown ? window.utilization : null);
      }
    }
    for (const name of this.#windows.keys()) {
      if (!present.has(name)) this.#windows.delete(name);
    }
  }

  /** Returns the curve of a window, as long as the others; null if too many. */
  #curve(name: string, id: string, key: string): WindowCurve | null {
    const known = this.#windows.get(name);
    if (known !== undefined) return known;
    if (this.#windows.size >= WINDOWS_MAX) return null;
    const used = new Array<number | null>(this.#tokens.length - 1).fill(null);
    const curve = { id, key, label: id, used };
    this.#windows.set(name, curve);
    return curve;
  }

  view(): CurvesView {
    return {
      schema: "tc.curves/v1",
      at: timeView(this.#options.clock.now()),
      stepMs: STEP_MS,
      tokens: [...this.#tokens],
      hits: this.#hits.map(rounded),
      windows: [...this.#windows.values()]
        .filter(({ used }) => used.some((share) => share !== null))
        .map(({ label, key, used }) => ({
          account: label,
          key,
          used: used.map(rounded),
        })),
    };
  }
}

function push<Value>(values: Value[], value: Value): void {
  values.push(value);
  if (values.length > STEPS_MAX) values.shift();
}

function rounded(share: number | null): number | null {
  return share === null ? null : Math.round(share * 1_000) / 1_000;
}

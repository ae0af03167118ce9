/**
 * Random faults from a seed. The draw depends on a request's bytes and on how
 * often they came, so the order of arrival does not change it.
 *
 * @module
 */

import { Dice } from "../dice.ts";
import type { StreamStep } from "../answer/emission.ts";
import { REFUSALS } from "./refusal.ts";
import type { Scripted } from "./scripted.ts";

type FaultName =
  | "throttled"
  | "burst"
  | "overloaded"
  | "server_error"
  | "expired"
  | "late"
  | "error_event"
  | "truncated"
  | "cut";

export interface FaultOptions {
  /** The share of requests that each fault hits, 0 to 1. */
  readonly rate: Readonly<Partial<Record<FaultName, number>>>;
  readonly seed: string | number;
  /** The delay of `late`. */
  readonly lateMs?: number;
}

const LATE_MS = 200;
const RETRY_AFTER_SECONDS = 1;
/** Most bodies whose tries are counted; beyond that the counts restart. */
const BODIES_MAX = 200_000;

export class Faults {
  readonly #options: FaultOptions;
  readonly #tries = new Map<string, number>();

  constructor(options: FaultOptions) {
    this.#options = options;
  }

  /** Returns the fault for this request, or null. */
  draw(bodySha256: string): Scripted | null {
    const tries = this.#tries.get(bodySha256) ?? 0;
    if (this.#tries.size >= BODIES_MAX) this.#tries.clear();
    this.#tries.set(bodySha256, tries + 1);
    const dice = new Dice(`${this.#options.seed}/${bodySha256}/${tries}`);
    let left = dice.random();
    for (const name of FAULT_NAMES) {
      left -= this.#options.rate[name] ?? 0;
      if (left < 0) return this.#scripted(name);
    }
    return null;
  }

  #scripted(name: FaultName): Scripted {
    const delayMs = name === "late" ? this.#options.lateMs ?? LATE_MS : 0;
    return { delayMs, label: name, act: ACTS[name] };
  }
}

const HALF: readonly StreamStep[] = ["message_start", "ping", { text: "Half" }];

function serve(steps: readonly StreamStep[] | null): Scripted["act"] {
  return { kind: "serve", blocks: null, steps };
}

const ACTS: Readonly<Record<FaultName, Scripted["act"]>> = {
  throttled: {
    kind: "refuse",
    refusal: REFUSALS.rate_limited,
    limits: "true",
    options: { retryAfterSeconds: RETRY_AFTER_SECONDS },
  },
  burst: {
    kind: "refuse",
    refusal: REFUSALS.rate_limited,
    limits: "none",
    options: {},
  },
  overloaded: {
    kind: "refuse",
    refusal: REFUSALS.overloaded,
    limits: "none",
    options: {},
  },
  server_error: {
    kind: "refuse",
    refusal: REFUSALS.server_error,
    limits: "none",
    options: {},
  },
  expired: {
    kind: "refuse",
    refusal: REFUSALS.expired,
    limits: "none",
    options: {},
  },
  late: serve(null),
  error_event: serve([...HALF, { error: "overloaded_error" }]),
  truncated: serve(HALF),
  cut: serve([...HALF, "cut"]),
};

/** The order in which the faults share one throw of the dice. */
const FAULT_NAMES: readonly FaultName[] = [
  "throttled",
  "burst",
  "overloaded",
  "server_error",
  "expired",
  "late",
  "error_event",
  "truncated",
  "cut",
];

/**
 * The provider's true state in a simulation: windows, limits, caches. The core
 * sees only its answers.
 *
 * @module
 */

import type { ModelFamily } from "../core/account.ts";
import type { Random } from "./random.ts";
import {
  costOf,
  type PlannedAccount,
  type PlannedRequest,
  type Workload,
} from "./workload/workload.ts";

const HOUR_MS = 3_600_000;
const FIVE_HOURS_MS = 5 * HOUR_MS;
const WEEK_MS = 168 * HOUR_MS;
const MINUTE_MS = 60_000;

/** How the provider received a request. */
export type Reception =
  | { readonly kind: "served"; readonly cached: number; readonly cost: number }
  | {
    readonly kind: "exhausted";
    readonly window: "5h" | "7d" | "7d_oi";
    readonly family: ModelFamily | null;
    readonly resetsAt: number;
  }
  | { readonly kind: "throttled"; readonly retryAfterMs: number }
  | { readonly kind: "overloaded" };

interface Cached {
  readonly tokens: number;
  /** When the answer that wrote it began: nobody can read it before. */
  readonly from: number;
  readonly until: number;
  /** Number of the request within its conversation that wrote it, from 1. */
  readonly turn: number;
}

/** A request's conversation, and its number within it. */
interface ConversationTurn {
  readonly conversation: string;
  /** Null unless it is a sub-agent's, which has other tools and prompts. */
  readonly parent: string | null;
  readonly turn: number;
}

/** What the headers of an answer would say. */
interface Figures {
  readonly fiveHour: number | null;
  readonly fiveHourResetsAt: number | null;
  readonly week: number;
  readonly weekResetsAt: number;
  readonly families: ReadonlyMap<ModelFamily, number>;
}

/** One account with its true state. Times are in milliseconds. */
export class SimulatedAccount {
  readonly plan: PlannedAccount;
  /** Quota that expired unused, and when. */
  readonly expired: { readonly at: number; readonly tokens: number }[] = [];
  burnt = 0;
  requests = 0;
  refusals = 0;
  #fiveHour: number;
  #fiveHourResetsAt: number | null;
  #week: number;
  #weekResetsAt: number;
  #earlyResetAt: number | null;
  readonly #families = new Map<ModelFamily, number>();
  readonly #caches = new Map<string, Cached>();
  #inFlight = 0;
  #starts: number[] = [];
  readonly #workload: Workload;
  readonly #random: Random;

  constructor(plan: PlannedAccount, workload: Workload, random: Random) {
    this.plan = plan;
    this.#workload = workload;
    this.#random = random;
    this.#fiveHour = plan.fiveHourUsed * plan.fiveHourTokens;
    this.#fiveHourResetsAt = plan.fiveHourResetsAt;
    this.#week = plan.weekUsed * plan.weekTokens;
    this.#weekResetsAt = plan.weekResetsAt;
    this.#earlyResetAt = plan.earlyResetAt;
  }

  /** Receives a request of a conversation at `at`. */
  receive(
    request: PlannedRequest,
    turn: ConversationTurn,
    at: number,
  ): Reception {
    this.#roll(at);
    this.requests++;
    const refusal = this.#refusal(request, at);
    if (refusal !== null) {
      this.refusals++;
      return refusal;
    }
    const cached = this.#cachedFor(request, turn, at);
    const cost = costOf(request, cached, this.#workload);
    this.#charge(request, cost, at);
    this.#inFlight++;
    this.#starts.push(at);
    this.#remember(request, turn, at);
    return { kind: "served", cached, cost };
  }

  finish(): void {
    this.#inFlight--;
  }

  figures(at: number): Figures {
    this.#roll(at);
    const { plan } = this;
    const families = new Map<ModelFamily, number>();
    for (const [family, share] of Object.entries(plan.familyShare)) {
      const used = this.#families.get(family) ?? 0;
      families.set(family, used / (share * plan.weekTokens));
    }
    return {
      fiveHour: this.#fiveHourResetsAt === null
        ? null
        : this.#fiveHour / plan.fiveHourTokens,
      fiveHourResetsAt: this.#fiveHourResetsAt,
      week: this.#week / plan.weekTokens,
      weekResetsAt: this.#weekResetsAt,
      families,
    };
  }

  /** Receives a small request of tc's own that starts a window. */
  open(at: number, tokens: number): void {
    this.#roll(at);
    this.#spend(tokens, at);
  }

  #roll(at: number): void {
    if (this.#fiveHourResetsAt !== null && at >= this.#fiveHourResetsAt) {
      this.#fiveHour = 0;
      this.#fiveHourResetsAt = null;
    }
    if (this.#earlyResetAt !== null && at >= this.#earlyResetAt) {
      this.#weekResetsAt = this.#earlyResetAt + WEEK_MS;
      this.#earlyResetAt = null;
      this.#week = 0;
      this.#fiveHour = 0;
      this.#fiveHourResetsAt = null;
      this.#families.clear();
    }
    while (at >= this.#weekResetsAt) {
      const left = Math.max(0, this.plan.weekTokens - this.#week);
      this.expired.push({ at: this.#weekResetsAt, tokens: left });
      this.#week = 0;
      this.#families.clear();
      this.#weekResetsAt += WEEK_MS;
    }
  }

  #refusal(request: PlannedRequest, at: number): Reception | null {
    const { plan } = this;
    if (plan.kind === "api_key") return null;
    if (this.#week >= plan.weekTokens) {
      const resetsAt = this.#weekResetsAt;
      return { kind: "exhausted", window: "7d", family: null, resetsAt };
    }
    if (this.#fiveHour >= plan.fiveHourTokens) {
      const resetsAt = this.#fiveHourResetsAt ?? at + FIVE_HOURS_MS;
      return { kind: "exhausted", window: "5h", family: null, resetsAt };
    }
    const { family } = request;
    const share = plan.familyShare[family];
    const isFamilySpent = share !== undefined &&
      (this.#families.get(family) ?? 0) >= share * plan.weekTokens;
    if (isFamilySpent) {
      const resetsAt = this.#weekResetsAt;
      return { kind: "exhausted", window: "7d_oi", family, resetsAt };
    }
    this.#starts = this.#starts.filter((start) => start > at - MINUTE_MS);
    const isTooMuch = this.#inFlight >= plan.concurrency ||
      this.#starts.length >= plan.perMinute;
    return isTooMuch
      ? { kind: "throttled", retryAfterMs: this.#random.uniform(5_000, 60_000) }
      : null;
  }

  #cachedFor(
    request: PlannedRequest,
    { conversation, parent, turn }: ConversationTurn,
    at: number,
  ): number {
    const shared = this.#caches.get(sharedName(request, parent));
    const own = request.isCompacted || request.isSide
      ? undefined
      : this.#caches.get(conversation);
    const read = (entry: Cached | undefined) =>
      entry !== undefined && isReadable(entry, at) ? entry.tokens : 0;
    const back = this.#workload.cacheTurnsBack ?? Infinity;
    const isNear = own !== undefined && turn - own.turn <= back;
    return Math.min(
      request.contextTokens,
      Math.max(isNear ? read(own) : 0, read(shared)),
    );
  }

  #remember(
    request: PlannedRequest,
    { conversation, parent, turn }: ConversationTurn,
    at: number,
  ): void {
    if (request.isSide) return;
    const from = at + this.#workload.headMs;
    const until = at + this.#workload.cacheTtlMs;
    const tokens = request.contextTokens;
    this.#caches.set(conversation, { tokens, from, until, turn });
    const name = sharedName(request, parent);
    const known = this.#caches.get(name);
    this.#caches.set(name, {
      tokens: this.#workload.sharedTokens,
      // What is cached stays readable, and so does what another one writes first.
      from: known === undefined || known.until <= at ? from : known.from,
      until,
      turn,
    });
  }

  #charge(request: PlannedRequest, cost: number, at: number): void {
    this.burnt += cost;
    this.#spend(cost, at);
    if (this.plan.familyShare[request.family] === undefined) return;
    const used = this.#families.get(request.family) ?? 0;
    this.#families.set(request.family, used + cost);
  }

  #spend(tokens: number, at: number): void {
    this.#fiveHourResetsAt ??= at + FIVE_HOURS_MS;
    this.#fiveHour += tokens;
    this.#week += tokens;
  }
}

function isReadable({ from, until }: Cached, at: number): boolean {
  return from <= at && at < until;
}

/** Returns the name of the tools and prompts that such requests share. */
function sharedName(
  { family }: PlannedRequest,
  parent: string | null,
): string {
  return `shared/${family}/${parent === null ? "main" : "agent"}`;
}

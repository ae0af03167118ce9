/**
 * Takes a request through the pool as the real proxy does: routed, held, sent,
 * judged, moved, until it is served or given up.
 *
 * @module
 */

import { ANY_REQUEST } from "../core/quota/capacity.ts";
import type { AccountId, ConversationId, LeaseId } from "../core/account.ts";
import { wakesWaiters } from "../core/pool/pool.ts";
import {
  afterWaiting,
  type Asked,
  type Patience,
  returnOf,
  waits,
} from "../core/route/patience.ts";
import { type Attempt, nextStep, retriesLeft } from "../core/quota/retry.ts";
import {
  route,
  type RouteDecision,
  type RouteQuery,
} from "../core/route/route.ts";
import { earlier, instantFromMs } from "../core/time.ts";
import type { CapacityVerdict } from "../core/quota/verdict.ts";
import { counted, type Errand, usageOf, verdictOf } from "./workload/errand.ts";
import type { Reception } from "./provider.ts";
import type { World } from "./world.ts";

/** Time until the headers of a refusal. */
const REFUSAL_MS = 300;
/** Events within this time wake the waiting requests only once. */
const WAKE_MS = 50;
const LONG_WAIT_MS = 60_000;
/** The longest time between two looks of a held request. */
const RECHECK_MS = 20_000;
/** What a client waits for if the return of the pool is unknown. */
const UNKNOWN_RETRY_MS = 30_000;
const RETRY_AFTER_MAX_MS = 55_000;
const HOUR_MS = 3_600_000;

/** The bounds of waiting, as in the config's section `hold`. */
export interface HoldBounds {
  readonly maxMs: number;
  readonly jsonMaxMs: number;
  readonly silentMs: number;
  readonly requestsMax: number;
  readonly beyond: "limit" | "retry";
}

/** The bounds of a config that says nothing. */
export const DEFAULT_HOLD: HoldBounds = {
  maxMs: 600_000,
  jsonMaxMs: 20_000,
  silentMs: 10_000,
  requestsMax: 500,
  beyond: "limit",
};

interface Flight {
  readonly errand: Errand;
  readonly id: AccountId;
  readonly leaseId: LeaseId;
  readonly reception: Reception;
}

export class Proxy {
  readonly #world: World;
  readonly #waiters = new Set<Errand>();
  readonly #homes = new Map<string, AccountId>();
  #leases = 0;
  #isWakeSet = false;
  readonly #hold: HoldBounds;

  constructor(world: World, hold: HoldBounds) {
    this.#world = world;
    this.#hold = hold;
    world.onEvent = (event) => {
      if (wakesWaiters(event)) this.#wakeSoon();
    };
  }

  /** Starts a request, and calls one of its functions once. */
  start(errand: Errand): void {
    this.#look(errand);
  }

  #wakeSoon(): void {
    if (this.#isWakeSet || this.#waiters.size === 0) return;
    this.#isWakeSet = true;
    const { clock } = this.#world;
    clock.at(clock.now + WAKE_MS, () => {
      this.#isWakeSet = false;
      this.#wake();
    });
  }

  /**
   * Wakes the requests that wait for one thing in order, until one must go on
   * waiting.
   */
  #wake(): void {
    const stuck = new Set<string>();
    for (const errand of [...this.#waiters]) {
      if (stuck.has(errand.line)) continue;
      this.#look(errand);
      if (errand.isWaiting) stuck.add(errand.line);
    }
  }

  #query(errand: Errand): RouteQuery {
    const { request, conversation, parent, ticket } = errand;
    return {
      ...ANY_REQUEST,
      // In a simulation the plan's names are the ids.
      conversation: conversation as ConversationId,
      parent: parent as ConversationId | null,
      families: [request.family],
      contextTokens: request.contextTokens,
      cacheTtlMs: this.#world.workload.cacheTtlMs,
      isCompacted: request.isCompacted,
      isSide: request.isSide,
      isPrompt: request.isPrompt,
      excluded: errand.excluded,
      waitedMs: this.#waitedMs(errand),
      ticket,
    };
  }

  #waitedMs({ isWaiting, waitedMs, waitsSince }: Errand): number {
    return waitedMs + (isWaiting ? this.#world.clock.now - waitsSince : 0);
  }

  #patience(errand: Errand): Patience {
    const { maxMs, jsonMaxMs, beyond } = this.#hold;
    const mostMs = errand.isStream ? maxMs : jsonMaxMs;
    const leftMs = Math.max(0, mostMs - this.#waitedMs(errand));
    return {
      giveUpAt: instantFromMs(this.#world.clock.now + leftMs),
      mayWait: true,
      speaksLimits: beyond === "limit" && this.#world.workload.speaksLimits,
    };
  }

  /** Routes the request: sends it, lets it wait, or answers its client. */
  #look(errand: Errand): void {
    const { clock } = this.#world;
    if (clock.now > errand.deadline) {
      this.#leaveQueue(errand);
      return;
    }
    const query = this.#query(errand);
    const snapshot = this.#world.snapshot();
    const asked: Asked = { snapshot, query };
    const decision = route(snapshot, query);
    errand.looks++;
    const patience = this.#patience(errand);
    if (decision.kind === "wait" && waits(decision, asked, patience)) {
      const isFull = this.#waiters.size >= this.#hold.requestsMax;
      if (errand.isWaiting || !isFull) {
        this.#wait(errand, decision, patience);
        return;
      }
    }
    const last = decision.kind === "use"
      ? decision
      : afterWaiting(decision, asked, patience);
    if (last.kind === "use") {
      this.#leaveQueue(errand);
      this.#send(errand, last.accountId);
      return;
    }
    if (last.kind === "wait" && last.reason === "parked") {
      this.#queue(errand, last);
    }
    this.#leaveQueue(errand);
    this.#answer(errand, last, patience);
  }

  #queue(
    errand: Errand,
    decision: RouteDecision & { readonly kind: "wait" },
  ): void {
    if (!errand.isWaiting) errand.waitsSince = this.#world.clock.now;
    errand.isWaiting = true;
    this.#waiters.add(errand);
    this.#world.dispatch({
      kind: "waiting_changed",
      ticket: errand.ticket,
      query: this.#query(errand),
      only: null,
      reason: decision.reason,
      at: this.#world.now,
    });
    if (decision.reason !== "parked") return;
    this.#world.dispatch({
      kind: "parked",
      // In a simulation the plan's names are the ids.
      conversation: errand.conversation as ConversationId,
      turnAt: decision.backAt ?? this.#world.now,
      at: this.#world.now,
    });
  }

  #wait(
    errand: Errand,
    decision: RouteDecision & { readonly kind: "wait" },
    { giveUpAt }: Patience,
  ): void {
    const { clock } = this.#world;
    const home = decision.reason === "warm_account"
      ? this.#homes.get(errand.conversation) ?? ""
      : "";
    errand.line = `${decision.reason}/${home}/${errand.request.family}`;
    this.#queue(errand, decision);
    const { looks } = errand;
    const recheckAt = instantFromMs(clock.now + RECHECK_MS);
    const until = earlier(earlier(decision.until, recheckAt), giveUpAt) ??
      recheckAt;
    clock.at(Math.min(until, errand.deadline + 1), () => {
      if (errand.looks === looks) this.#look(errand);
    });
  }

  /** Tells the client that no account serves it now. */
  #answer(
    errand: Errand,
    decision: RouteDecision,
    { speaksLimits }: Patience,
  ): void {
    const { tally, now } = this.#world;
    const { isStream, waitedMs } = errand;
    if (isStream && waitedMs >= this.#hold.silentMs) {
      errand.onInterrupted();
      return;
    }
    const back = speaksLimits ? returnOf(decision, now) : null;
    if (back !== null) {
      tally.limitAnswers++;
      errand.onLimited(back.at);
      return;
    }
    tally.clientErrors++;
    errand.onFailed(retryAfterMs(decision, now));
  }

  #leaveQueue(errand: Errand): void {
    if (!errand.isWaiting) return;
    errand.waitedMs = this.#waitedMs(errand);
    errand.isWaiting = false;
    this.#waiters.delete(errand);
    const { ticket } = errand;
    this.#world.dispatch({
      kind: "waiting_ended",
      ticket,
      at: this.#world.now,
    });
  }

  #send(errand: Errand, id: AccountId): void {
    const { clock, tally } = this.#world;
    const account = this.#world.account(id);
    // A counter names the lease, so no two are equal in one simulation.
    const leaseId = `l${this.#leases++}` as LeaseId;
    this.#world.dispatch({
      kind: "lease_opened",
      leaseId,
      accountId: id,
      query: this.#query(errand),
      at: this.#world.now,
    });
    tally.sends++;
    const reception: Reception = this.#world.isStorm
      ? { kind: "overloaded" }
      : account.receive(errand.request, errand, clock.now);
    const flight: Flight = { errand, id, leaseId, reception };
    if (reception.kind !== "served") {
      clock.at(clock.now + REFUSAL_MS, () => this.#refused(flight));
      return;
    }
    this.#book(flight);
    const { headMs } = this.#world.workload;
    clock.at(clock.now + headMs, () => {
      this.#world.observe(id, "response_headers", reception);
      this.#judge(flight, { kind: "served" });
    });
    const endsAt = clock.now + Math.max(headMs, errand.request.durationMs);
    clock.at(endsAt, () => this.#end(flight));
  }

  /** Books a request that the provider accepted. */
  #book({ errand, id, reception }: Flight): void {
    if (reception.kind !== "served") return;
    const { tally, clock, workload } = this.#world;
    const stalledMs = clock.now - errand.wantedAt;
    const isPaid = this.#world.account(id).plan.kind === "api_key";
    tally.requests++;
    tally.burnt += reception.cost;
    if (isPaid) tally.paid += reception.cost;
    else tally.useful += errand.usefulTokens;
    tally.serve(
      errand.usefulTokens,
      Math.floor((clock.now - workload.startsAt) / HOUR_MS),
    );
    const again = reception.cost - errand.usefulTokens;
    tally.rebuilt += again;
    if (errand.request.isSide) return;
    tally.stalledMs += stalledMs;
    tally.longestMs = Math.max(tally.longestMs, stalledMs);
    if (stalledMs > LONG_WAIT_MS) tally.longWaits++;
    const home = this.#homes.get(errand.conversation);
    const isMove = home !== undefined && home !== id;
    if (isMove) tally.switches++;
    if (isMove) tally.moved += again;
    else tally.lapsed += again;
    this.#homes.set(errand.conversation, id);
  }

  #judge({ leaseId }: Flight, verdict: CapacityVerdict): void {
    const at = this.#world.now;
    this.#world.dispatch({ kind: "verdict_given", leaseId, verdict, at });
  }

  #end({ errand, id, leaseId, reception }: Flight): void {
    if (reception.kind !== "served") return;
    this.#world.account(id).finish();
    this.#world.dispatch({
      kind: "lease_closed",
      leaseId,
      usage: usageOf(errand.request, reception.cached, this.#world),
      at: this.#world.now,
    });
    errand.onServed();
  }

  #refused(flight: Flight): void {
    const { errand, id, leaseId, reception } = flight;
    const { tally, now, clock } = this.#world;
    if (reception.kind === "overloaded") tally.overloads++;
    else {
      tally.refusals++;
      if (reception.kind === "throttled") tally.throttles++;
      this.#world.observe(id, "response_headers", reception);
    }
    const verdict = verdictOf(reception, this.#world);
    this.#judge(flight, verdict);
    this.#world.dispatch({
      kind: "lease_closed",
      leaseId,
      usage: null,
      at: now,
    });
    const attempt: Attempt = {
      ...errand.counts,
      now,
      retriesLeft: retriesLeft(this.#world.snapshot()),
      // A fixed value: the core spreads herds, not chance.
      jitter: 0.5,
    };
    const step = nextStep(verdict, attempt);
    errand.counts = counted(errand.counts, verdict, step.kind === "reroute");
    if (reception.kind === "overloaded" && step.kind !== "relay") {
      this.#world.dispatch({ kind: "retry_sent", at: now });
    }
    switch (step.kind) {
      case "relay":
      case "give_up":
      case "renew":
        tally.clientErrors++;
        errand.onFailed(0);
        return;
      case "retry_same":
        clock.at(clock.now + step.afterMs, () => {
          this.#send(errand, id);
        });
        return;
      case "reroute":
        this.#reroute(flight, step);
    }
  }

  #reroute(
    { errand, id }: Flight,
    { exclude, mayWait }: {
      readonly exclude: boolean;
      readonly mayWait: boolean;
    },
  ): void {
    if (exclude) errand.excluded = new Set([...errand.excluded, id]);
    if (mayWait) {
      this.#look(errand);
      return;
    }
    const decision = route(this.#world.snapshot(), this.#query(errand));
    if (decision.kind === "use") {
      return this.#send(errand, decision.accountId);
    }
    this.#world.tally.clientErrors++;
    errand.onFailed(0);
  }
}

/** Returns the `retry-after` of an answer without limit lines. */
function retryAfterMs({ considered }: RouteDecision, now: number): number {
  let soonest = Infinity;
  for (const { until } of considered) {
    if (until !== null && until > now) soonest = Math.min(soonest, until);
  }
  return soonest === Infinity
    ? UNKNOWN_RETRY_MS
    : Math.min(RETRY_AFTER_MAX_MS, soonest - now);
}

/**
 * `route()`: a snapshot and a query in, a decision with its reasons out.
 *
 * @module
 */

import type {
  Considered,
  Outcome,
  RouteDecision,
  RouteQuery,
  UseReason,
} from "./decision.ts";
import type { AccountId } from "../account.ts";
import type { Bar } from "./eligible.ts";
import { opening, placing } from "./placing.ts";
import { Question } from "./question.ts";
import { type Scene, survey, type View } from "./scene.ts";
import type { AccountState, PoolSnapshot, WaitReason } from "../pool/state.ts";
import { awaitingHome, named, staying } from "./staying.ts";
import { benchAt } from "../quota/bench.ts";
import { isSpent, type QuotaSource } from "../quota/quota.ts";
import { after, earlier, type Instant, MINUTE_MS } from "../time.ts";

export type {
  Considered,
  RouteDecision,
  RouteQuery,
  UseReason,
} from "./decision.ts";

/**
 * Returns where the request goes now, or why it must wait or cannot go at all.
 */
export function route(
  snapshot: PoolSnapshot,
  query: RouteQuery,
): RouteDecision {
  const scene = survey(snapshot, query);
  if (scene.views.length === 0) {
    return { kind: "refuse", reason: "no_account", considered: [] };
  }
  const question = new Question(scene);
  const outcome = named(question) ?? staying(question) ??
    awaitingHome(question) ?? opening(question) ?? placing(question) ??
    lastResort(question);
  return explained(question, outcome);
}

const NO_TERMS: Readonly<Record<string, number>> = {};

/** Returns the decision that `outcome` amounts to. */
function explained(question: Question, outcome: Outcome): RouteDecision {
  switch (outcome.kind) {
    case "use":
      return new Use(question, outcome);
    case "wait":
      return new Wait(question, outcome);
    case "refuse":
      return new Refuse(question, outcome);
  }
}

/**
 * A decision that works out what was considered when that is first read,
 * because few callers read it; until then it keeps the scene alive. It is a
 * class because V8 gives each object literal with a getter a hidden class of
 * its own, which held the whole scene until the next full collection: half of
 * the processor time of a decision.
 */
class Explained {
  readonly #question: Question;
  readonly #outcome: Outcome;
  #list: readonly Considered[] | null = null;

  constructor(question: Question, outcome: Outcome) {
    this.#question = question;
    this.#outcome = outcome;
  }

  get considered(): readonly Considered[] {
    return this.#list ??= consideredIn(this.#question, this.#outcome);
  }
}

type Of<Kind> = Outcome & { readonly kind: Kind };

class Use extends Explained {
  readonly kind = "use";
  readonly accountId: AccountId;
  readonly reason: UseReason;
  readonly movedFrom: AccountId | null;

  constructor(question: Question, outcome: Of<"use">) {
    super(question, outcome);
    const from = question.scene.binding?.accountId ?? null;
    this.accountId = outcome.view.id;
    this.reason = outcome.reason;
    this.movedFrom = from === outcome.view.id ? null : from;
  }
}

class Wait extends Explained {
  readonly kind = "wait";
  readonly until: Instant | null;
  readonly backAt: Instant | null;
  readonly reason: WaitReason;

  constructor(question: Question, outcome: Of<"wait">) {
    super(question, outcome);
    this.until = outcome.until;
    this.backAt = outcome.backAt;
    this.reason = outcome.reason;
  }
}

class Refuse extends Explained {
  readonly kind = "refuse";
  readonly reason: Of<"refuse">["reason"];

  constructor(question: Question, outcome: Of<"refuse">) {
    super(question, outcome);
    this.reason = outcome.reason;
  }
}

function consideredIn(
  question: Question,
  outcome: Outcome,
): readonly Considered[] {
  const { scene, costs } = question;
  const chosen = outcome.kind === "use" ? outcome.view : null;
  return scene.views.map((view): Considered => {
    const bar = barIn(question, view, chosen);
    const cost = costs.get(view.id);
    return {
      accountId: view.id,
      ineligible: bar?.reason ?? null,
      until: bar?.until ?? null,
      cost: cost?.total ?? null,
      terms: cost?.terms ?? NO_TERMS,
    };
  });
}

/** Returns why `view` was passed over: its own bar, its rank, or its gates. */
function barIn(
  question: Question,
  view: View,
  chosen: View | null,
): Bar | null {
  if (view.bar !== null || view === chosen) return view.bar;
  const { scene } = question;
  if (!scene.open.includes(view)) {
    return { reason: "reserve", until: scene.soonest };
  }
  const room = question.roomOf(view);
  const isHome = scene.binding?.accountId === view.id;
  if ((isHome ? room.warm : room.cold) > 0) return null;
  return { reason: room.isTrial ? "probation" : "full", until: null };
}

// If no account may serve: try whether that still holds, wait for the first
// account that returns, or refuse.

/** Returns the outcome if no account is open to the request. */
function lastResort({ scene, standing }: Question): Outcome {
  const trial = nextTrial(scene);
  const isFirst = standing.cold === 0;
  if (trial !== null && trial.at <= scene.at && isFirst) {
    return { kind: "use", view: trial.view, reason: "probe" };
  }
  if (scene.soonest === null) return { kind: "refuse", reason: "none_usable" };
  // A stated reset delays the trial, but the usage endpoint may say otherwise.
  const lookAt = after(scene.at, scene.settings.probeMs);
  const until = trial !== null && trial.at > scene.at
    ? earlier(scene.soonest, earlier(trial.at, lookAt))
    : scene.soonest;
  return { kind: "wait", until, backAt: scene.soonest, reason: "closed" };
}

interface Trial {
  readonly view: View;
  /** From when the trial may be sent. */
  readonly at: Instant;
}

/**
 * Returns the account that is tried next, and when. The account untried for
 * longest goes first.
 */
function nextTrial(scene: Scene): Trial | null {
  const worthy = scene.views.filter((view) => isWorthATrial(view, scene));
  const pauseMs = pauseBetween(worthy.length, scene);
  const answeredAt = Math.max(
    ...worthy.map((view) => statedAt(view, "response_headers")),
  );
  let next: Trial | null = null;
  for (const view of worthy) {
    // Its trial is under way.
    if (view.state.leases > 0) continue;
    const at = trialAt(view, scene, { pauseMs, answeredAt });
    if (isBackBy(view, after(at, scene.settings.probeMs))) continue;
    if (next === null || isBefore({ view, at }, next)) next = { view, at };
  }
  return next;
}

function isBefore(a: Trial, b: Trial): boolean {
  const [x, y] = [refusedAt(a.view.state), refusedAt(b.view.state)];
  return a.at < b.at ||
    a.at === b.at && (x < y || x === y && a.view.id < b.view.id);
}

/**
 * Probe each account once quickly, then back off: they have refused explicitly.
 */
function pauseBetween(
  accounts: number,
  { settings, snapshot }: Scene,
): number {
  const { probeMs, probeMaxMs, sweepMs } = settings;
  const slowedMs = probeMs * 2 ** (snapshot.probesRefused - accounts);
  return Math.min(probeMaxMs, Math.max(sweepMs, slowedMs));
}

/** An account that returns about when a trial could be sent needs no trial. */
function isBackBy({ bar }: View, at: Instant): boolean {
  return bar !== null && bar.until !== null && bar.until <= at;
}

/**
 * Returns whether a trial can open the account. It cannot lift what a person or
 * the user's own limit bars.
 */
function isWorthATrial({ bar, state }: View, { at }: Scene): boolean {
  switch (bar?.reason) {
    case "exhausted":
    case "family_exhausted":
      return true;
    case "benched": {
      const bench = benchAt(state.bench, at);
      return bench.kind === "benched" && bench.reason.kind !== "throttled";
    }
    default:
      return false;
  }
}

function trialAt(
  view: View,
  { settings, snapshot }: Scene,
  { pauseMs, answeredAt }: {
    /** Least time between two trials in the pool. */
    readonly pauseMs: number;
    /** When an answer last stated the reset of any closed account. */
    readonly answeredAt: number;
  },
): Instant {
  const known = statedAt(view);
  const stated = known === -Infinity ? known : Math.max(known, answeredAt);
  const at = Math.max(
    refusedAt(view.state) + settings.probeMs,
    stated + STATED_MS,
    (snapshot.lastProbedAt ?? -Infinity) + pauseMs,
  );
  return Number.isFinite(at)
    ? after(snapshot.at, at - snapshot.at)
    : snapshot.at;
}

/**
 * How long a figure that states the same reset spares the account a trial. The
 * usage endpoint is asked about every ten minutes and costs nothing, so where
 * it can be asked there is no trial at all, and an early reset is seen as soon.
 * Where it cannot, the pool makes one such trial in this time, on one account
 * after the other: a provider that resets early resets all of them.
 */
const STATED_MS = 30 * MINUTE_MS;

/** Figures and benches that end within this time of each other agree. */
const SAME_END_MS = MINUTE_MS;
const NEARLY_SPENT = 0.9;

/**
 * Returns when a figure of the provider, from `source` alone if it is given,
 * last said that the account is closed until the end of its bar; -Infinity if
 * none says so.
 */
function statedAt(
  { bar, state: { windows } }: View,
  source?: QuotaSource,
): number {
  let last = -Infinity;
  if (bar === null || bar.until === null) return last;
  for (const window of Object.values(windows)) {
    if (source !== undefined && window.source !== source) continue;
    const isClosed = isSpent(window) ||
      (window.utilization ?? 0) >= NEARLY_SPENT;
    const isSame = window.resetsAt !== null &&
      Math.abs(window.resetsAt - bar.until) <= SAME_END_MS;
    if (isClosed && isSame) last = Math.max(last, window.observedAt);
  }
  return last;
}

/**
 * When the account was last asked, or when its figures last showed it spent.
 */
function refusedAt({ lastUsedAt, windows }: AccountState): number {
  let last = lastUsedAt ?? -Infinity;
  for (const window of Object.values(windows)) {
    if (isSpent(window)) last = Math.max(last, window.observedAt);
  }
  return last;
}

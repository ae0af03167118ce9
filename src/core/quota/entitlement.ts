/**
 * What an account may not do although its login works and it has quota: a beta,
 * a model, long prompts, a path of the API. It is learned from refusals and
 * kept for a stated time, in which each account is asked once.
 *
 * @module
 */

import type { RouteFacts } from "../facts.ts";
import { after, HOUR_MS, type Instant } from "../time.ts";

/** One thing that an account was refused. */
export type Lack =
  /** A value of `anthropic-beta`. */
  | { readonly kind: "beta"; readonly beta: string }
  /** A model by its id, as the request wrote it. */
  | { readonly kind: "model"; readonly model: string }
  /** Prompts of this many tokens or more, which need long context. */
  | {
    readonly kind: "size";
    readonly tokens: number;
    /** Whether paid extra usage would serve them and is off or used up. */
    readonly isPaid: boolean;
  }
  /** Requests of this client: some logins serve only the provider's own. */
  | { readonly kind: "client"; readonly client: string }
  /** Requests below this path: some paths accept only keys. */
  | { readonly kind: "path"; readonly path: string };

/** A lack of one account, as it was learned. */
export interface Refusal {
  readonly lack: Lack;
  readonly since: Instant;
  /** Until when it counts; then one request asks again. */
  readonly until: Instant;
  /** The provider's own sentence, or null. */
  readonly said: string | null;
}

/** Lacks by {@linkcode lackKey}. */
export type Refusals = ReadonlyMap<string, Refusal>;

export const NO_REFUSALS: Refusals = new Map();

/**
 * How long a refusal counts. A plan changes rarely, when its owner changes it;
 * models and paid usage may be switched on within the hour.
 */
const KEPT_MS: Readonly<Record<Lack["kind"], number>> = {
  beta: 6 * HOUR_MS,
  model: HOUR_MS,
  size: HOUR_MS,
  client: 6 * HOUR_MS,
  path: 6 * HOUR_MS,
};

/**
 * Most refusals kept, so that a hostile provider cannot fill the pool's memory.
 */
const REFUSALS_MAX = 64;

/**
 * Returns a key for the lack. Two refusals of one kind and subject share it.
 */
export function lackKey(lack: Lack): string {
  switch (lack.kind) {
    case "beta":
      return `beta ${lack.beta}`;
    case "model":
      return `model ${lack.model}`;
    case "size":
      return "size";
    case "client":
      return `client ${lack.client}`;
    case "path":
      return `path ${lack.path}`;
  }
}

/**
 * Returns `known` with one more refusal; of refused sizes the smallest counts.
 */
export function withRefusal(
  known: Refusals,
  lack: Lack,
  { at, said }: { readonly at: Instant; readonly said: string | null },
): Refusals {
  const key = lackKey(lack);
  const next = new Map(
    [...known].filter(([, { until }]) => until > at).slice(1 - REFUSALS_MAX),
  );
  const prior = next.get(key)?.lack;
  const least = lack.kind === "size" && prior?.kind === "size"
    ? { ...lack, tokens: Math.min(lack.tokens, prior.tokens) }
    : lack;
  next.delete(key);
  const until = after(at, KEPT_MS[lack.kind]);
  next.set(key, { lack: least, since: at, until, said });
  return next;
}

/** Returns `known` without the refusals that a served request disproves. */
export function withoutDisproved(
  known: Refusals,
  facts: RouteFacts,
): Refusals {
  if (known.size === 0) return known;
  const next = new Map(
    [...known].filter(([, refusal]) => !isAbout(refusal.lack, facts)),
  );
  return next.size === known.size ? known : next;
}

/** Returns the refusal that bars a request of `facts`, or null. */
export function refusalOf(
  known: Refusals,
  facts: RouteFacts,
  at: Instant,
): Refusal | null {
  if (known.size === 0) return null;
  for (const refusal of known.values()) {
    if (refusal.until > at && isAbout(refusal.lack, facts)) return refusal;
  }
  return null;
}

function isAbout(lack: Lack, facts: RouteFacts): boolean {
  switch (lack.kind) {
    case "beta":
      return facts.betas.includes(lack.beta);
    case "model":
      return facts.model === lack.model;
    case "size":
      return facts.contextTokens >= lack.tokens;
    case "client":
      return facts.client === lack.client;
    case "path":
      return facts.path.startsWith(lack.path);
  }
}

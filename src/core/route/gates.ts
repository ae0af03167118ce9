/**
 * How many more requests an account takes now. A gate only delays a request;
 * where nothing is known it lets the request through.
 *
 * @module
 */

import { benchAt } from "../quota/bench.ts";
import { inFlightOf } from "../pool/fold_account.ts";
import { overflowStepMs, perMinuteCap, rampLimit } from "../pool/lease.ts";
import { rampOf } from "../pool/reopening.ts";
import type { Policy } from "../policy/policy.ts";
import type { Scene, View } from "./scene.ts";
import type { Instant } from "../time.ts";

export interface Room {
  /** Places for a conversation that holds no cache here. */
  readonly cold: number;
  /** Places for a conversation whose cache is here. */
  readonly warm: number;
  /** Whether the missing place is the place of a trial. */
  readonly isTrial: boolean;
}

/**
 * Requests that pass a learned limit may bring it to this multiple in flight.
 */
const OVERFLOW_SHARE = 1.5;

/** A request that uses no quota takes no place. */
const UNLIMITED: Room = { cold: Infinity, warm: Infinity, isTrial: false };

/** Returns the requests that the account has in flight, on all machines. */
export function inFlight({ state }: View): number {
  return inFlightOf(state);
}

/** Returns the places that `view` has left under the gates in use. */
export function roomOf(view: View, scene: Scene, policy: Policy): Room {
  const { layers, settings, at } = scene;
  if (!scene.query.isMetered) return UNLIMITED;
  const { account } = view.state;
  const isUnproven = isUnprovenFor(view, scene);
  const most = Math.min(
    account.leasesMax ?? Infinity,
    isUnproven ? 1 : Infinity,
    layers.concurrencyGate ? policy.inFlightMax(view, scene) : Infinity,
  );
  const trials = trialsLeft(view, scene);
  const starts = Math.min(startsLeft(view, scene), trials);
  const isTail = layers.tailGate &&
    Math.max(view.fiveHourUsed, view.weekUsed) >= settings.tailUtilization;
  const mostCold = Math.min(
    most,
    isTail ? 1 : Infinity,
    (layers.stormRamp
      ? rampLimit(rampOf(view.state, at), at, settings)
      : null) ??
      Infinity,
  );
  return {
    cold: Math.max(0, Math.min(placesLeft(view, mostCold), starts)),
    warm: Math.max(0, Math.min(placesLeft(view, most), starts)),
    isTrial: isUnproven || trials < Infinity,
  };
}

/**
 * Returns how many more requests this machine may have in flight where all
 * machines together may have `most`: those that it has told of, and its part of
 * the places that are free. A place that its own request leaves stays its own
 * until it has told the others.
 */
function placesLeft({ state }: View, most: number): number {
  const { leases, elsewhere, part } = state;
  const left = most - inFlightOf(state);
  if (part === null || left === Infinity) return left;
  const free = Math.ceil(most) - part.told - elsewhere;
  if (free <= 0) return left;
  const { told, machines, place } = part;
  return told + Math.floor((free + machines - 1 - place) / machines) - leases;
}

/** Where another machine has requests in flight, it has proved the account. */
function isUnprovenFor({ state }: View, { layers }: Scene): boolean {
  return layers.probeGate && !state.gate.isProven && state.elsewhere === 0;
}

/**
 * After a throttle, every policy sends one trial and then nothing until it is
 * answered. Requests that were in flight before the throttle are not trials.
 */
function trialsLeft({ state }: View, { snapshot, at }: Scene): number {
  const standing = benchAt(state.bench, at);
  if (standing.kind !== "probation" || !standing.isThrottle) return Infinity;
  return state.trial !== null && snapshot.leases.has(state.trial) ? 0 : 1;
}

function startsLeft({ state }: View, { layers, at }: Scene): number {
  const { gate } = state;
  if (!layers.perMinuteGate) return Infinity;
  const most = perMinuteCap(gate, at);
  return most === Infinity
    ? Infinity
    : Math.max(0, Math.floor(most) - gate.starts.within(at).count);
}

/**
 * Returns whether a request that has waited long enough may pass a learned
 * limit. The user's own limit always holds, and so does the limit to one trial.
 */
export function mayOverflow(view: View, scene: Scene, policy: Policy): boolean {
  const { account, bench } = view.state;
  const leases = inFlight(view);
  const standing = benchAt(bench, scene.at);
  if (standing.kind === "probation" && standing.isThrottle) return false;
  if (account.leasesMax !== null && leases >= account.leasesMax) return false;
  if (isUnprovenFor(view, scene) && leases > 0) return false;
  if (!isItsStep(view, scene.at)) return false;
  return leases <= OVERFLOW_SHARE * policy.inFlightMax(view, scene);
}

/**
 * Returns whether the next request past a learned limit is this machine's. If
 * several machines each let one pass a second, the account would be refused as
 * many times more often: a machine that has requests in flight there waits for
 * one of them to end, and one that has none, which would wait for ever, lets one
 * pass after as many seconds as the others have requests there.
 */
function isItsStep({ state }: View, at: Instant): boolean {
  const { leases, elsewhere, gate } = state;
  if (elsewhere > 0 && leases > 0) return false;
  const stepMs = overflowStepMs(gate) * Math.max(1, elsewhere);
  const last = gate.starts.newest;
  return last === null || at - last >= stepMs;
}

/**
 * What a person wants to hear of without looking: conditions of the pool that
 * begin and end, read off the same view as every screen.
 *
 * @module
 */

import type { AccountView, WindowView } from "../../control/account_views.ts";
import type { StatusView, TimeView } from "../../control/protocol.ts";
import { durationText } from "../../control/words.ts";
import { HOUR_MS } from "../../core/time.ts";

/** What a notice is about. */
type NoticeKind =
  /** An account needs a person to sign in. */
  | "login_needed"
  /** No account serves until some time. */
  | "pool_spent"
  /** The pool serves again after it was spent. */
  | "pool_back"
  /** At the present pace a week runs out long before it refills. */
  | "week_short"
  /** Real money is being spent: an API key or extra usage serves. */
  | "paying"
  /** A newer release of tc is out. */
  | "update";

/** A condition that holds now. */
export interface Condition {
  /** Names the condition: a notice is sent once while one of a key holds. */
  readonly key: string;
  readonly kind: NoticeKind;
  /** One sentence for a person. */
  readonly text: string;
  /** Label of the account that it is about, or null. */
  readonly account: string | null;
  /** When it ends by itself, or null. */
  readonly until: TimeView | null;
  /** A command that mends it, or null. */
  readonly mend: string | null;
}

/** A notice as programs and webhooks get it. */
export interface NoticeEvent extends Omit<Condition, "key"> {
  readonly schema: "tc.notice/v1";
  /** Unique, so that a receiver can tell a repetition. */
  readonly id: string;
  readonly at: TimeView;
}

/** Returns the conditions that hold, in a fixed order. */
export function conditionsOf(status: StatusView): readonly Condition[] {
  const { accounts, at, verdict } = status;
  return [
    ...accounts.flatMap(loginOf),
    ...(verdict.kind === "closed" ? [spent(verdict.until, at)] : []),
    ...accounts.flatMap(payingOf),
    ...accounts.flatMap((account) => weekOf(account, at)),
    ...updateOf(status),
  ];
}

/** Each release is told of once. */
function updateOf({ server }: StatusView): readonly Condition[] {
  const { newer, version } = server;
  if (newer === null) return [];
  return [{
    key: `update:${newer}`,
    kind: "update",
    text: `tc ${newer} is out; this is ${version}`,
    account: null,
    until: null,
    mend: "tc upgrade",
  }];
}

function loginOf(
  { id, label, kind, state, mend }: AccountView,
): readonly Condition[] {
  if (state !== "signed_out") return [];
  const what = kind === "api_key" ? "a key that is accepted" : "sign-in";
  return [{
    key: `login_needed:${id}`,
    kind: "login_needed",
    text: `${label} needs ${what}`,
    account: label,
    until: null,
    mend: mend ?? "tc login",
  }];
}

function spent(until: TimeView | null, at: TimeView): Condition {
  const when = until === null
    ? "until something changes"
    : `for ${durationText(until.ms - at.ms)}`;
  return {
    key: "pool_spent",
    kind: "pool_spent",
    text: `No account serves new work ${when}`,
    account: null,
    until,
    mend: null,
  };
}

/** The notice that a spent pool serves again. */
export const POOL_BACK: Condition = {
  key: "pool_back",
  kind: "pool_back",
  text: "The pool serves again",
  account: null,
  until: null,
  mend: null,
};

function payingOf({ id, label, paying }: AccountView): readonly Condition[] {
  if (paying === null) return [];
  return [{
    key: `paying:${id}`,
    kind: "paying",
    text: `${label} serves and is paid by the token`,
    account: label,
    until: null,
    mend: null,
  }];
}

/** Below this part of a week used, its forecast is not worth a notice. */
const USED_MIN = 0.3;
/** A week that runs out less early than this will do. */
const SHORT_MS_MIN = 12 * HOUR_MS;

function weekOf(
  { id, label, windows }: AccountView,
  at: TimeView,
): readonly Condition[] {
  return windows.filter(isShort).map((window): Condition => {
    const spentAt = window.spentAt?.ms ?? at.ms;
    const resetsAt = window.resetsAt?.ms ?? at.ms;
    return {
      // Each week is told of once: the next one has another reset.
      key: `week_short:${id}:${window.key}:${Math.round(resetsAt / HOUR_MS)}`,
      kind: "week_short",
      text: `The week of ${label} runs out in about ${
        durationText(spentAt - at.ms)
      }, ${durationText(resetsAt - spentAt)} before it refills`,
      account: label,
      until: window.resetsAt,
      mend: null,
    };
  });
}

function isShort(
  { key, utilization, status, spentAt, resetsAt }: WindowView,
): boolean {
  return key.startsWith("7d") && status !== "rejected" && spentAt !== null &&
    resetsAt !== null && (utilization ?? 0) >= USED_MIN &&
    (utilization ?? 0) < 1 && resetsAt.ms - spentAt.ms >= SHORT_MS_MIN;
}

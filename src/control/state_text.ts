/**
 * The state of an account in words. Every screen prints this text, so that one
 * state has one name everywhere.
 *
 * @module
 */

import type { AccountStateName, AccountView } from "./account_views.ts";
import type { AccountFactsView } from "./protocol.ts";
import {
  clockText,
  durationText,
  payingText,
  spendLimitWords,
} from "./words.ts";

/** What the text depends on. */
type Stated = Pick<
  AccountView,
  "state" | "kind" | "reason" | "until" | "paying" | "limit"
>;

/** The clock that the screen shows. */
interface ScreenTime {
  readonly now: number;
  readonly timeZone?: string | undefined;
}

/**
 * Returns `ready`, `used up until 14:05 (5h)`, `needs sign-in` and the like.
 * If `clock` is null the text has no times: JSON has them in fields of their own.
 */
export function stateText(view: Stated, clock: ScreenTime | null): string {
  const { state, reason, paying } = view;
  const until = clock === null ? null : view.until;
  const spent = view.limit === null ? "" : spendLimitWords(view.limit);
  const at = until === null || clock === null
    ? null
    : clockText(until.ms, clock.now, clock.timeZone);
  const back = at === null ? "" : ` until ${at}`;
  switch (state) {
    case "ready":
      return "ready";
    case "limited":
      return reason === null ? "nearly full" : `limited: ${reason}`;
    case "spent":
      return `used up${back}${reason === null ? "" : ` (${reason})`}`;
    case "resting":
      return `paused${back}${reason === null ? "" : `: ${reason}`}`;
    case "signed_out":
      return "needs sign-in";
    case "unreachable": {
      const wait = until === null || clock === null
        ? ""
        : `, next try ${at} (${durationText(until.ms - clock.now)})`;
      return `cannot be renewed: ${reason ?? "unknown reason"}${wait}`;
    }
    case "off":
      return "off";
    case "unknown":
      return "no figures yet: the first answer brings them";
    case "reserve":
      return view.kind === "api_key"
        ? `key, in reserve${spent === "" ? "" : ` (${spent})`}`
        : view.kind === "backend"
        ? "backend, in reserve"
        : "in reserve";
    case "paying":
      return [
        paying === null || clock === null
          ? "paying by token"
          : payingText(paying, clock.now, clock.timeZone),
        ...spent === "" ? [] : [spent],
      ].join(" · ");
  }
}

/** What is known of an account whose server does not run. */
type Stored = Pick<
  AccountFactsView,
  "enabled" | "needsLogin" | "expiresAt" | "isRenewable"
>;

/**
 * Returns the state of an account that no server looks after: what is stored
 * about it, else that nobody knows.
 */
export function storedStateText(
  { enabled, needsLogin, expiresAt, isRenewable }: Stored,
  now: number,
): "off" | "needs sign-in" | "unknown" {
  if (!enabled) return "off";
  const isOver = expiresAt !== null && expiresAt.ms <= now && !isRenewable;
  return needsLogin || isOver ? "needs sign-in" : "unknown";
}

/** What is said of several accounts in a state, in the order of the line. */
const COUNTED: readonly (readonly [AccountStateName, string])[] = [
  ["limited", "nearly full"],
  ["unknown", "without figures yet"],
  ["paying", "paying by token"],
  ["reserve", "in reserve"],
  ["spent", "used up"],
  ["resting", "paused"],
  ["signed_out", "to sign in"],
  ["unreachable", "cannot be renewed"],
  ["off", "off"],
];

/**
 * Returns `3 of 5 accounts ready, 1 nearly full, 1 off`: each account is counted
 * under the state that every screen prints for it.
 */
export function statesText(states: readonly AccountStateName[]): string {
  const count = (name: AccountStateName) =>
    states.filter((state) => state === name).length;
  const noun = states.length === 1 ? "account" : "accounts";
  const others = COUNTED.flatMap(([name, words]) =>
    count(name) === 0 ? [] : [`${count(name)} ${words}`]
  );
  return [`${count("ready")} of ${states.length} ${noun} ready`, ...others]
    .join(", ");
}

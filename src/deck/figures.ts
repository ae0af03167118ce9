/**
 * How the Deck writes figures, beside those of `control/words.ts`.
 *
 * @module
 */

import { inert } from "../control/words.ts";

/** `8.4s`, `41s`, `2m`: how long an answer took. */
export function tookText(ms: number): string {
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)}s`;
  if (ms < 99_500) return `${Math.round(ms / 1_000)}s`;
  return `${Math.round(ms / 60_000)}m`;
}

/** `opus-5-5` for `claude-opus-5-5-20260101`. */
export function modelText(model: string | null): string {
  if (model === null) return "";
  return inert(model).replace(/^claude-/, "").replace(/-\d{8}$/, "");
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** Returns `12:31:02` in local time or in `timeZone`. */
export function timeText(ms: number, timeZone: string | null): string {
  // The machine's own zone needs no tables of languages, which cost 4 MB.
  if (timeZone === null) {
    const date = new Date(ms);
    return [date.getHours(), date.getMinutes(), date.getSeconds()]
      .map((part) => String(part).padStart(2, "0")).join(":");
  }
  const zone = timeZone;
  let clock = clocks.get(zone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("en-GB", {
      timeStyle: "medium",
      timeZone,
    });
    clocks.set(zone, clock);
  }
  return clock.format(ms);
}

/** Returns a routing reason as people read it. */
export function reasonText(reason: string): string {
  return REASONS[reason] ?? inert(reason).replaceAll("_", " ");
}

const REASONS: Readonly<Record<string, string>> = {
  warm_account: "for the warm account",
  shared_prompt: "for the prompt that another sub-agent writes",
  full: "all that may serve it are full",
  closed: "all accounts are closed",
  parked: "parked: more sessions than the quota carries",
  none_usable: "no account can serve it",
  all_closed: "all accounts are closed",
  bound: "stayed on its account",
  new: "a new session",
  only: "this account alone was wanted",
  parent: "beside its parent",
  moved: "better placed there",
  opens_window: "opens a fresh window",
  last_resort: "no subscription could serve",
  probe: "a trial of a closed account",
};

export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/**
 * Numbers, times and forecasts as people read them; the CLI, the Deck and error
 * messages share them.
 *
 * @module
 */

import { dollarsText } from "../core/account.ts";
import { inert } from "../core/plain_text.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../core/time.ts";
import { commandWord } from "../shell_words.ts";
import type {
  BetweenView,
  SpendLimitView,
  WindowView,
} from "./account_views.ts";
import type {
  ForecastView,
  MachineView,
  StatusView,
  VerdictView,
} from "./protocol.ts";

/**
 * Returns how long something has lasted, in the units of {@linkcode
 * durationText}, rounded down: nothing is said to be up longer than it is.
 */
export function elapsedText(ms: number): string {
  const unit = ms < MINUTE_MS ? SECOND_MS : ms < DAY_MS ? MINUTE_MS : HOUR_MS;
  return durationText(Math.floor(ms / unit) * unit);
}

/**
 * Returns a duration as `41s`, `18m`, `1h 34m` or `3d 4h`: at most two units,
 * rounded up.
 */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (ms < HOUR_MS) return `${Math.ceil(ms / MINUTE_MS)}m`;
  if (ms < DAY_MS) return twoUnits(ms, HOUR_MS, MINUTE_MS, ["h", "m"]);
  return twoUnits(ms, DAY_MS, HOUR_MS, ["d", "h"]);
}

/**
 * Returns the machines of a shared pool: `3 machines: desk, laptop (this), box
 * (last seen 4m ago)`. Null for a machine alone.
 */
export function machinesText(
  machines: readonly MachineView[],
  now: number,
): string | null {
  if (machines.length === 0) return null;
  const names = machines.map((machine) => {
    const name = inert(machine.name);
    if (machine.isThis) return `${name} (this)`;
    const seen = seenText(machine, now);
    return seen === null ? name : `${name} (${seen})`;
  });
  const noun = machines.length === 1 ? "machine" : "machines";
  return `${machines.length} ${noun}: ${names.join(", ")}`;
}

/** Returns `last seen 4m ago`; null for a machine that is there. */
export function seenText(
  { lastSeenAt }: Pick<MachineView, "lastSeenAt">,
  now: number,
): string | null {
  return lastSeenAt === null
    ? null
    : `last seen ${durationText(now - lastSeenAt.ms)} ago`;
}

function twoUnits(
  ms: number,
  large: number,
  small: number,
  [l, s]: readonly [string, string],
): string {
  const smalls = Math.ceil(ms / small);
  const perLarge = large / small;
  const whole = Math.floor(smalls / perLarge);
  const rest = smalls % perLarge;
  return rest === 0 ? `${whole}${l}` : `${whole}${l} ${rest}${s}`;
}

/** Returns a count as `950`, `1.2k`, `12k`, `1.2M` or `12M`. */
export function countText(count: number): string {
  if (count < 1_000) return String(Math.round(count));
  if (count < 9_950) return `${(count / 1_000).toFixed(1)}k`;
  if (count < 999_500) return `${Math.round(count / 1_000)}k`;
  if (count < 9_950_000) return `${(count / 1_000_000).toFixed(1)}M`;
  return `${Math.round(count / 1_000_000)}M`;
}

/** Returns a share as `64%`; `?` if unknown. */
export function percentText(part: number | null): string {
  if (part === null) return "?";
  return `${Math.round(part * 100)}%`;
}

/**
 * Returns a local time: `14:05` today, `Sat 09:00` within a week, else `3 Dec
 * 09:00`.
 */
export function clockText(
  ms: number,
  nowMs: number,
  timeZone?: string,
): string {
  const [at, now] = [partsOf(ms, timeZone), partsOf(nowMs, timeZone)];
  if (isSameDay(at, now)) return at.time;
  if (Math.abs(ms - nowMs) < 6 * DAY_MS) return `${at.weekday} ${at.time}`;
  const month = MONTHS[at.month] ?? "";
  return `${at.day} ${
    month.slice(0, month === "September" ? 4 : 3)
  } ${at.time}`;
}

interface ClockParts {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  readonly day: number;
  readonly weekday: string;
  /** `14:05` */
  readonly time: string;
}

function isSameDay(a: ClockParts, b: ClockParts): boolean {
  return a.year === b.year && a.month === b.month && a.day === b.day;
}

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
] as const;

/**
 * Returns the parts of a clock time. For the machine's own zone without the
 * runtime's tables of languages, which cost a viewer 4 MB and each command 11 ms.
 */
function partsOf(ms: number, timeZone: string | undefined): ClockParts {
  // Shifted, so that its UTC parts are those of the zone.
  const date = timeZone === undefined
    ? new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE_MS)
    : new Date(`${inZone(ms, timeZone)}Z`);
  const two = (part: number) => String(part).padStart(2, "0");
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    weekday: WEEKDAYS[date.getUTCDay()] ?? "",
    time: `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`,
  };
}

/** Returns the time in a zone as `2026-11-21T14:05:00`. */
function inZone(ms: number, timeZone: string): string {
  return new Date(ms).toLocaleString("sv-SE", { timeZone }).replace(" ", "T");
}

export { inert };

const USE_TEXT: Readonly<Record<string, string>> = {
  bound: "it stays where its prompt cache is",
  moved: "of the accounts with room it is the cheapest now",
  pinned: "it is pinned",
  only: "the client asked for it",
  new: "a new conversation, and no other account was cheaper",
  parent: "the conversation that started this one is there",
  opens_window: "its 5-hour window was idle, and a small request starts it",
  last_resort: "no subscription can serve soon",
  probe: "all are closed, and one request may try whether that still holds",
};

/** Returns a day as `28 December`, with its year where that is another one. */
export function dayText(
  ms: number,
  now: number,
  timeZone?: string,
): string {
  const { day, month, year } = partsOf(ms, timeZone);
  const isThisYear = year === partsOf(now, timeZone).year;
  return `${day} ${MONTHS[month] ?? ""}${isThisYear ? "" : ` ${year}`}`;
}

/**
 * Returns why an account served, as a clause; `movedFrom` is the account that
 * was left.
 */
export function useText(reason: string, movedFrom: string | null): string {
  if (movedFrom !== null) {
    return `it left ${
      inert(movedFrom)
    }, and of the others with room this is the cheapest`;
  }
  return USE_TEXT[reason] ?? reason.replaceAll("_", " ");
}

/** The time and zone for clock times. */
interface ShownTime {
  readonly now: number;
  /** Null: the machine's zone. */
  readonly timeZone: string | null;
}

/**
 * Returns `5h: at this pace empty about 15:10 (14:20 to 16:05)`; null if the
 * window certainly lasts to its reset.
 */
export function spentText(
  window: Pick<WindowView, "key" | "spentAt" | "spentBetween">,
  time: ShownTime,
): string | null {
  const { key, spentAt, spentBetween } = window;
  if (spentAt !== null && spentAt.ms <= time.now) return `${key} used up`;
  if (spentAt !== null) {
    const range = rangeText(spentAt.ms, spentBetween, time, "may last");
    return `${key}: at this pace empty ${about(spentAt.ms, time)}${range}`;
  }
  const soonest = spentBetween?.soonest ?? null;
  return soonest === null
    ? null
    : `${key}: enough until its reset (worst case: empty ${
      about(soonest.ms, time)
    })`;
}

/**
 * Returns how long the pool lasts at the precision that is known: `lasts until
 * about 18:00 (16:40 to 20:10)`, `may run out today, uncertain`; null if it lasts
 * a week or more. The person's usual week is told where it is an earlier day
 * than at the present pace. `part` asks for one of the two.
 */
export function lastsText(
  forecast: ForecastView,
  time: ShownTime,
  part: "pace" | "usual" | "both" = "both",
): string | null {
  const parts = [
    part === "usual" ? null : paceText(forecast, time),
    part === "pace" ? null : usualText(forecast, time),
  ].filter((part) => part !== null);
  return parts.length === 0 ? null : parts.join("; ");
}

/** Returns a guess by the day alone; null where the pace says it as well. */
function usualText(
  { usual, lastsUntil }: ForecastView,
  time: ShownTime,
): string | null {
  // An older server does not tell it.
  const end = usual?.lastsUntil ?? null;
  if (end === null) return null;
  const day = dayWord(end.ms, time);
  const isTold = lastsUntil !== null &&
    (lastsUntil.ms <= end.ms || dayWord(lastsUntil.ms, time) === day);
  return isTold ? null : `in your usual week it may run out ${day}, uncertain`;
}

function paceText(
  { lastsUntil, lastsBetween, isGuess }: ForecastView,
  time: ShownTime,
): string | null {
  if (lastsUntil === null) return null;
  if (isGuess) return `may run out ${dayWord(lastsUntil.ms, time)}, uncertain`;
  const range = rangeText(
    lastsUntil.ms,
    lastsBetween,
    time,
    "or a week and more",
  );
  return `lasts until ${about(lastsUntil.ms, time)}${range}`;
}

/** A range is told where it is wider than this part of the time that is left. */
const RANGE_SHARE = 1 / 3;

function rangeText(
  ms: number,
  between: BetweenView | null,
  time: ShownTime,
  otherwise: string,
): string {
  if (between === null || between.soonest === null) return "";
  const { soonest, latest } = between;
  if (latest === null) {
    return ` (earliest ${about(soonest.ms, time)}, ${otherwise})`;
  }
  const isNarrow = latest.ms - soonest.ms <= RANGE_SHARE * (ms - time.now);
  if (isNarrow) return "";
  const from = about(soonest.ms, time, "");
  const to = about(latest.ms, time, "");
  return from === to ? "" : ` (${from} to ${to})`;
}

/** Up to this far ahead a time is told to this many minutes. */
const STEPS: readonly (readonly [hours: number, minutes: number])[] = [
  [2, 5],
  [12, 15],
  [48, 60],
];

/**
 * Returns `about 15:10`, as exact as a forecast that far ahead can be; from two
 * days on the day alone.
 */
function about(ms: number, time: ShownTime, word = "about "): string {
  const aheadMs = ms - time.now;
  const step = STEPS.find(([hours]) => aheadMs <= hours * HOUR_MS);
  if (step === undefined) return dayWord(ms, time);
  const stepMs = step[1] * MINUTE_MS;
  return `${word}${shown(Math.round(ms / stepMs) * stepMs, time)}`;
}

/** Returns `today`, `Thu` within a week, else `3 December`. */
function dayWord(ms: number, { now, timeZone }: ShownTime): string {
  const zone = timeZone ?? undefined;
  const at = partsOf(ms, zone);
  if (isSameDay(at, partsOf(now, zone))) return "today";
  return ms - now < 6 * DAY_MS ? at.weekday : dayText(ms, now, zone);
}

/** Returns what limits the pool, or until when it is closed; empty if open. */
export function verdictText(
  { kind, account, window, until }: VerdictView,
  time: ShownTime,
): string {
  const end = until === null ? "" : ` until ${shown(until.ms, time)}`;
  switch (kind) {
    case "open":
      return "";
    case "nearly_full":
      return `${window ?? "5h"} of ${
        inert(account ?? "every account")
      } nearly full${
        until === null ? "" : `; refills ${shown(until.ms, time)}`
      }`;
    case "paid":
      return `plans used up${end}: new work is paid for`;
    case "busy":
      return "every account is busy: new work waits";
    case "closed":
      return until === null
        ? "no account can serve: tc accounts"
        : `nothing left${end}`;
    case "empty":
      return account === null
        ? "no account: tc login"
        : `every account is off: tc enable ${commandWord(account)}`;
  }
}

function shown(ms: number, { now, timeZone }: ShownTime): string {
  return clockText(ms, now, timeZone ?? undefined);
}

const PLAN_NAMES: Readonly<Record<string, string>> = {
  pro: "Pro",
  max_5x: "Max 5x",
  max_20x: "Max 20x",
  team: "Team",
  unknown: "plan unknown",
};

/** Returns a plan as `Max 20x`, `Pro` or `Team`. */
export function tierText(tier: string): string {
  return PLAN_NAMES[tier] ?? inert(tier);
}

/** Returns what an account is: `Max 20x`, `API key`, `plan unknown`. */
export function planText(
  { kind, tier }: { readonly kind: string; readonly tier: string },
): string {
  if (kind === "api_key") return "API key";
  if (kind === "backend") return "backend";
  const isUnnamed = kind === "setup_token" && tier === "unknown";
  return isUnnamed ? "setup token" : tierText(tier);
}

/** Returns `$0.62`, `$14.20` or `$142`; empty if unpriced. */
export function moneyText(dollars: number | null): string {
  if (dollars === null) return "";
  return `$${dollars >= 100 ? dollars.toFixed(0) : dollars.toFixed(2)}`;
}

const PERIOD: Readonly<Record<SpendLimitView["per"], string>> = {
  day: "today",
  week: "this week",
  month: "this month",
};

/** Returns `$12.10 of $20 today`. */
export function spendLimitWords({ paid, max, per }: SpendLimitView): string {
  return `$${paid.toFixed(2)} of ${dollarsText(max)} ${PERIOD[per]}`;
}

/**
 * Returns `paying $3.96`, or `paid $3.96` once no account pays any more; null
 * while plans cover everything. The sum is the server's: it has accounts that
 * were closed or removed since.
 */
export function payingSumText(
  { paying, accounts }: Pick<StatusView, "paying" | "accounts">,
  by = "",
): string | null {
  const open = accounts.flatMap((one) => one.paying ?? []);
  const isOld = paying === undefined;
  if (isOld ? open.length === 0 : paying === null) return null;
  const cost = isOld
    ? open.reduce((sum, one) => sum + (one.cost ?? 0), 0)
    : paying?.cost ?? null;
  const word = open.length === 0 ? "paid" : "paying";
  return `${word}${by} ${moneyText(cost) || "unpriced"}`;
}

/** Returns `paying by token since 09:23 · $3.96`. */
export function payingText(
  { since, cost }: {
    readonly since: { readonly ms: number };
    readonly cost: number | null;
  },
  now: number,
  timeZone?: string,
): string {
  const money = moneyText(cost);
  return `paying by token since ${clockText(since.ms, now, timeZone)} · ${
    money === "" ? "unpriced" : money
  }`;
}

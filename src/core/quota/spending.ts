/**
 * Limits in dollars, and the money that was really paid: by API keys and by paid
 * extra usage. A request reserves the most that it may cost when it is sent, and
 * settles what it did cost at its end, so that requests in flight cannot pass a
 * limit together.
 *
 * @module
 */

import type { Account, AccountId, SpendLimit } from "../account.ts";
import type { CalendarUnit } from "../calendar.ts";
import type { Overage } from "./quota.ts";
import { NANODOLLARS } from "../pricing.ts";
import { after, type Instant, SECOND_MS } from "../time.ts";

/** When the present day, week and month end. */
export type PeriodEnds = Readonly<Record<CalendarUnit, Instant>>;

/** What was paid in each of the present periods, in nanodollars. */
export type PaidSums = Readonly<Record<CalendarUnit, number>>;

interface Period {
  readonly endsAt: Instant;
  readonly nano: number;
}

/** The dollars paid for one account, by period, and those reserved. */
interface Paid extends Readonly<Record<CalendarUnit, Period | null>> {
  /** What its requests in flight may cost at most. */
  readonly reservedNano: number;
}

/** The money of the pool. */
export interface PaidBook {
  /** The limit on all accounts together; null means none. */
  readonly max: SpendLimit | null;
  /** Removed accounts stay in it, because what they cost was paid. */
  readonly accounts: ReadonlyMap<AccountId, Paid>;
}

export const NOTHING_PAID: PaidBook = { max: null, accounts: new Map() };

const NONE: Paid = { day: null, week: null, month: null, reservedNano: 0 };
const UNITS: readonly CalendarUnit[] = ["day", "week", "month"];

const LIMIT = /^\$?(\d{1,7}(?:\.\d{1,2})?)\/(day|week|month)$/;

/** Returns `20/day` as a limit; null if the text is not one. */
export function spendLimit(text: string): SpendLimit | null {
  const match = LIMIT.exec(text.trim());
  if (match === null) return null;
  const dollars = Number(match[1]);
  return dollars > 0 ? { dollars, per: match[2] as CalendarUnit } : null;
}

/** Returns a limit as it is typed: `20/day`. */
export function spendLimitText({ dollars, per }: SpendLimit): string {
  return `${dollars}/${per}`;
}

/**
 * Returns whether a request on the account is paid for: a key, or a plan whose
 * paid extra usage serves.
 */
export function isPaidFor(
  { account, overage }: {
    readonly account: Account;
    readonly overage: Overage | null;
  },
  isPlanSpent = false,
): boolean {
  return account.kind === "api_key" || isPlanSpent || overage?.isInUse === true;
}

/** Returns the book after `change` nanodollars more, or fewer, were reserved. */
export function reserved(
  book: PaidBook,
  id: AccountId,
  change: number,
): PaidBook {
  if (change === 0) return book;
  const paid = book.accounts.get(id) ?? NONE;
  const reservedNano = Math.max(0, paid.reservedNano + change);
  return withPaid(book, id, { ...paid, reservedNano });
}

/** Returns the book after `nano` was paid in the periods that end at `ends`. */
export function settled(
  book: PaidBook,
  id: AccountId,
  { nano, ends }: { readonly nano: number; readonly ends: PeriodEnds },
): PaidBook {
  const paid = book.accounts.get(id) ?? NONE;
  const plus = (unit: CalendarUnit): Period => {
    const known = paid[unit];
    // After the clock was set back the later period goes on.
    return known === null || known.endsAt < ends[unit]
      ? { endsAt: ends[unit], nano }
      : { ...known, nano: known.nano + nano };
  };
  return withPaid(book, id, {
    ...paid,
    day: plus("day"),
    week: plus("week"),
    month: plus("month"),
  });
}

/**
 * Returns the book with what the ledger knows to have been paid, by this server
 * and others. A sum never falls within its period.
 */
export function recalled(
  book: PaidBook,
  sums: ReadonlyMap<AccountId, PaidSums>,
  ends: PeriodEnds,
): PaidBook {
  let next = book;
  for (const [id, known] of sums) {
    const paid = next.accounts.get(id) ?? NONE;
    const period = (unit: CalendarUnit): Period => {
      const own = paid[unit];
      const nano = own?.endsAt === ends[unit] ? own.nano : 0;
      return own !== null && own.endsAt > ends[unit]
        ? own
        : { endsAt: ends[unit], nano: Math.max(nano, known[unit]) };
    };
    const entries = UNITS.map((unit) => [unit, period(unit)] as const);
    if (entries.every(([unit, value]) => isSame(paid[unit], value))) continue;
    next = withPaid(next, id, { ...paid, ...Object.fromEntries(entries) });
  }
  return next;
}

function isSame(a: Period | null, b: Period): boolean {
  return a?.endsAt === b.endsAt && a.nano === b.nano;
}

function withPaid(book: PaidBook, id: AccountId, paid: Paid): PaidBook {
  const accounts = new Map(book.accounts);
  accounts.set(id, paid);
  return { ...book, accounts };
}

/** What is paid and reserved against one limit. */
interface Spending {
  readonly paidNano: number;
  readonly reservedNano: number;
  /** When the period ends; null if nothing was paid in it yet. */
  readonly endsAt: Instant | null;
}

/** Returns the spending of one account, or of all if `id` is null. */
export function spendingOf(
  { accounts }: PaidBook,
  id: AccountId | null,
  { per, at }: { readonly per: CalendarUnit; readonly at: Instant },
): Spending {
  let paidNano = 0;
  let reservedNano = 0;
  let endsAt: Instant | null = null;
  for (const [key, paid] of accounts) {
    if (id !== null && key !== id) continue;
    reservedNano += paid.reservedNano;
    const period = paid[per];
    if (period === null || period.endsAt <= at) continue;
    paidNano += period.nano;
    endsAt = period.endsAt;
  }
  return { paidNano, reservedNano, endsAt };
}

/** A limit that a request would pass. */
interface Passed {
  readonly reason: "spend_limit" | "paid_max" | "unpriced";
  /** When to try again; null if time alone does not help. */
  readonly until: Instant | null;
}

/**
 * While only requests in flight stand in the way, a request looks again after
 * this time at the latest.
 */
const SETTLES_MS = 2 * SECOND_MS;

/**
 * Returns the limit that a request on the account would pass if it costs
 * `costNanoMax`, null if it passes none. A request whose price is unknown (null)
 * passes any limit, because the limit could not be kept.
 */
export function passedLimit(
  book: PaidBook,
  account: Pick<Account, "id" | "costMax">,
  { costNanoMax, at }: {
    readonly costNanoMax: number | null;
    readonly at: Instant;
  },
): Passed | null {
  const own = account.costMax ?? null;
  const limits = [
    ["spend_limit", own, account.id],
    ["paid_max", book.max, null],
  ] as const;
  for (const [reason, limit, id] of limits) {
    if (limit === null) continue;
    if (costNanoMax === null) return { reason: "unpriced", until: null };
    const most = limit.dollars * NANODOLLARS;
    const spent = spendingOf(book, id, { per: limit.per, at });
    const { paidNano, reservedNano, endsAt } = spent;
    if (paidNano >= most || paidNano + costNanoMax > most) {
      return { reason, until: endsAt };
    }
    if (paidNano + reservedNano + costNanoMax > most) {
      return { reason, until: after(at, SETTLES_MS) };
    }
  }
  return null;
}

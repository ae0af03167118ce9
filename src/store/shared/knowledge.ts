/**
 * What the machines of a shared pool know of its quota: the newest figures of
 * each window, and the newest refusals. Of two statements the newer one counts,
 * by the database's clock.
 *
 * @module
 */

import * as v from "valibot";
import type { AccountId } from "../../core/account.ts";
import type { QuotaWindow, QuotaWindows } from "../../core/quota/quota.ts";
import type { SharedRefusal } from "../../core/pool/event.ts";
import { type Instant, instantFromMs, SECOND_MS } from "../../core/time.ts";
import type { SharedDatabase } from "./database.ts";

/** Turns an instant of this machine into the database's, and back. */
export interface SharedClock {
  toDatabase(at: Instant): number;
  fromDatabase(ms: number): Instant;
}

/** A window with its account. */
export interface KnownWindow {
  readonly accountId: AccountId;
  readonly window: QuotaWindow;
}

/** A refusal of another machine, by this machine's clock. */
export interface KnownRefusal {
  readonly accountId: AccountId;
  readonly verdict: SharedRefusal;
  readonly at: Instant;
}

/** What is written at once. */
export interface News {
  readonly windows: readonly KnownWindow[];
  readonly refusals: readonly KnownRefusal[];
}

const instant = v.pipe(v.number(), v.finite(), v.transform(instantFromMs));
const family = v.nullable(v.string());

const FIGURES = v.object({
  utilization: v.nullable(v.number()),
  status: v.nullable(v.picklist(["allowed", "allowed_warning", "rejected"])),
  lengthMs: v.number(),
  resetsAt: v.nullable(instant),
  source: v.picklist(["response_headers", "usage_endpoint"]),
  family,
});

const VERDICT = v.variant("kind", [
  v.object({
    kind: v.literal("exhausted"),
    window: v.string(),
    family,
    until: instant,
  }),
  v.object({
    kind: v.literal("throttled"),
    until: instant,
    isStated: v.boolean(),
  }),
]);

/** News in the rows that the store keeps. Their times are of the database's clock. */
export interface NewsRows {
  readonly figures: readonly FigureRow[];
  readonly verdicts: readonly VerdictRow[];
}

interface FigureRow {
  readonly account: AccountId;
  readonly key: string;
  readonly figures: Omit<QuotaWindow, "key" | "observedAt">;
  readonly at: number;
}

interface VerdictRow {
  readonly account: AccountId;
  readonly kind: string;
  readonly verdict: SharedRefusal;
  readonly at: number;
}

/**
 * Returns news as rows. All machines write rows in one order, because two that
 * write at once could otherwise wait for each other for ever.
 */
export function newsRows(
  { windows, refusals }: News,
  clock: SharedClock,
): NewsRows {
  const figures = windows.map(({ accountId, window }) => {
    const { key, observedAt, ...figures } = window;
    const at = clock.toDatabase(observedAt);
    return { account: accountId, key, figures, at };
  });
  const verdicts = newestRefusals(refusals).map((refusal) => ({
    account: refusal.accountId,
    kind: kindOf(refusal.verdict),
    verdict: movedBy(refusal.verdict, (at) => clock.toDatabase(at)),
    at: clock.toDatabase(refusal.at),
  }));
  return {
    figures: inOrder(figures, ({ account, key }) => `${account} ${key}`),
    verdicts: inOrder(verdicts, ({ account, kind }) => `${account} ${kind}`),
  };
}

function inOrder<Row>(
  rows: readonly Row[],
  nameOf: (row: Row) => string,
): readonly Row[] {
  return rows.toSorted((a, b) => nameOf(a) < nameOf(b) ? -1 : 1);
}

/** Returns what other machines know. Throws TcError `store_away`. */
export async function readNews(
  database: SharedDatabase,
  { machine, clock }: { readonly machine: string; readonly clock: SharedClock },
): Promise<News> {
  const [row] = await database.run((sql) =>
    sql<{ windows: WindowTuple[]; refusals: RefusalTuple[] }[]>`
      SELECT
        coalesce((
          SELECT json_agg(json_build_array(account, key, figures,
            extract(epoch FROM observed_at)::float8 * 1000))
          FROM tc.windows WHERE machine <> ${machine}
        ), '[]') AS windows,
        coalesce((
          SELECT json_agg(json_build_array(account, verdict,
            extract(epoch FROM given_at)::float8 * 1000))
          FROM tc.refusals WHERE machine <> ${machine}
        ), '[]') AS refusals`
  );
  return {
    windows: (row?.windows ?? []).flatMap((one) => windowOf(one, clock)),
    refusals: (row?.refusals ?? []).flatMap((one) => refusalOf(one, clock)),
  };
}

type WindowTuple = readonly [AccountId, key: string, figures: unknown, number];
type RefusalTuple = readonly [AccountId, verdict: unknown, number];

/** A row of a version that this one does not know is left alone. */
function windowOf(
  [accountId, key, figures, at]: WindowTuple,
  clock: SharedClock,
): readonly KnownWindow[] {
  const read = v.safeParse(FIGURES, figures);
  if (!read.success) return [];
  const observedAt = clock.fromDatabase(at);
  const window = { key, observedAt, ...read.output } as QuotaWindow;
  return [{ accountId, window }];
}

function refusalOf(
  [accountId, verdict, at]: RefusalTuple,
  clock: SharedClock,
): readonly KnownRefusal[] {
  const read = v.safeParse(VERDICT, verdict);
  if (!read.success) return [];
  return [{
    accountId,
    verdict: movedBy(read.output as SharedRefusal, clock.fromDatabase),
    at: clock.fromDatabase(at),
  }];
}

/** Figures that were seen again without a change are told this often. */
const UNCHANGED_MS = 10 * SECOND_MS;

/**
 * Returns the windows among `windows` that the others should know: those that
 * differ from what was `sent`, and now and then those that were seen again.
 */
export function newerWindows(
  accountId: AccountId,
  windows: QuotaWindows,
  sent: ReadonlyMap<string, QuotaWindow>,
): readonly KnownWindow[] {
  return Object.values(windows).flatMap((window) => {
    const known = sent.get(`${accountId} ${window.key}`);
    const isNews = known === undefined ||
      window.observedAt - known.observedAt >= UNCHANGED_MS ||
      window.observedAt > known.observedAt && !isSame(window, known);
    return isNews ? [{ accountId, window }] : [];
  });
}

function isSame(one: QuotaWindow, other: QuotaWindow): boolean {
  return one.utilization === other.utilization &&
    one.status === other.status && one.resetsAt === other.resetsAt &&
    one.source === other.source;
}

/** A database row can be written once in a statement: the newest one counts. */
function newestRefusals(
  refusals: readonly KnownRefusal[],
): readonly KnownRefusal[] {
  const newest = new Map<string, KnownRefusal>();
  for (const refusal of refusals) {
    newest.set(`${refusal.accountId} ${kindOf(refusal.verdict)}`, refusal);
  }
  return [...newest.values()];
}

/**
 * The end of a throttle is this machine's own reckoning and follows its clock;
 * a window's reset is the provider's.
 */
function movedBy(
  verdict: SharedRefusal,
  move: (at: Instant) => number,
): SharedRefusal {
  return verdict.kind === "throttled"
    ? { ...verdict, until: instantFromMs(move(verdict.until)) }
    : verdict;
}

function kindOf(verdict: SharedRefusal): string {
  return verdict.kind === "exhausted"
    ? `exhausted ${verdict.family ?? ""}`.trim()
    : verdict.kind;
}

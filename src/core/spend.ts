/**
 * What was spent: the sums that every report is made of.
 *
 * @module
 */

/** Sums over messages. Money in nanodollars at list price. */
export interface Spend {
  readonly requests: number;
  readonly failed: number;
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
  readonly costNano: number;
  /** Answers whose model has no price; they are not in `costNano`. */
  readonly unpriced: number;
  readonly coldRebuilds: number;
  readonly switches: number;
  readonly switchRebuild: number;
  readonly waitedMs: number;
}

export const NO_SPEND: Spend = {
  requests: 0,
  failed: 0,
  input: 0,
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
  costNano: 0,
  unpriced: 0,
  coldRebuilds: 0,
  switches: 0,
  switchRebuild: 0,
  waitedMs: 0,
};

export function addSpend(a: Spend, b: Spend): Spend {
  return {
    requests: a.requests + b.requests,
    failed: a.failed + b.failed,
    input: a.input + b.input,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite5m: a.cacheWrite5m + b.cacheWrite5m,
    cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
    output: a.output + b.output,
    costNano: a.costNano + b.costNano,
    unpriced: a.unpriced + b.unpriced,
    coldRebuilds: a.coldRebuilds + b.coldRebuilds,
    switches: a.switches + b.switches,
    switchRebuild: a.switchRebuild + b.switchRebuild,
    waitedMs: a.waitedMs + b.waitedMs,
  };
}

/** Spend of one key, and the moments between which it fell. */
export interface SpendRow {
  /** Null where requests named none. */
  readonly key: string | null;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly spend: Spend;
}

/** The rows of `rows` that share a key, as one; in the order of first sight. */
export function grouped(
  rows: readonly SpendRow[],
  keyOf: (row: SpendRow) => string | null,
): readonly SpendRow[] {
  const groups = new Map<string | null, SpendRow>();
  for (const row of rows) {
    const key = keyOf(row);
    const known = groups.get(key);
    groups.set(
      key,
      known === undefined ? { ...row, key } : {
        key,
        firstAt: Math.min(known.firstAt, row.firstAt),
        lastAt: Math.max(known.lastAt, row.lastAt),
        spend: addSpend(known.spend, row.spend),
      },
    );
  }
  return [...groups.values()];
}

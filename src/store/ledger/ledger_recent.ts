/**
 * The last requests of the ledger, for counts that a restart must not lose.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { accountId } from "../../core/account.ts";
import { type Instant, instantFromMs } from "../../core/time.ts";
import type { RequestRecord } from "../../ports.ts";

/** When the last request ended; null in an empty ledger. */
export function newestRequest(database: DatabaseSync): Instant | null {
  const row = database.prepare("SELECT max(ended_at) AS at FROM requests")
    .get();
  const at = row?.["at"] ?? null;
  return at === null ? null : instantFromMs(Number(at));
}

/** The messages that ended since `fromMs` and that an account answered. */
export function recentRequests(
  database: DatabaseSync,
  fromMs: number,
): readonly Pick<
  RequestRecord,
  "accountId" | "endedAt" | "path" | "usage"
>[] {
  const rows = database.prepare(
    `SELECT account.text AS account, path.text AS path, ended_at,
       input, cache_read, cache_write_5m, cache_write_1h, output
     FROM requests
     JOIN names AS account ON account.id = requests.account
     JOIN names AS path ON path.id = requests.path
     WHERE ended_at >= ?`,
  ).all(fromMs);
  return rows.map((row) => ({
    accountId: accountId(String(row["account"])),
    path: String(row["path"]),
    endedAt: instantFromMs(Number(row["ended_at"])),
    usage: row["input"] === null ? null : {
      input: Number(row["input"]),
      cacheRead: Number(row["cache_read"]),
      cacheWrite5m: Number(row["cache_write_5m"]),
      cacheWrite1h: Number(row["cache_write_1h"]),
      output: Number(row["output"]),
    },
  }));
}

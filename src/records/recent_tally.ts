/**
 * Requests of the last hour by account, in minutes: what `tc status` and the
 * Deck show beside each account.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import { isMessage } from "../store/ledger/ledger.ts";
import { MINUTE_MS } from "../core/time.ts";
import { contextTokens } from "../core/usage.ts";
import type { RequestRecord } from "../ports.ts";
import type { RecentView } from "../control/protocol.ts";

/** The part of a record that is counted. */
export type Counted = Pick<
  RequestRecord,
  "accountId" | "endedAt" | "path" | "usage"
>;

interface Bucket {
  readonly minute: number;
  requests: number;
  cacheRead: number;
  prompt: number;
  output: number;
}

const MINUTES_MAX = 60;
const SHORT_MINUTES = 15;

export class RecentTally {
  readonly #accounts = new Map<AccountId, Bucket[]>();

  add(record: Counted): void {
    if (record.accountId === null || !isMessage(record)) return;
    const minute = Math.floor(record.endedAt / MINUTE_MS);
    const buckets = this.#accounts.get(record.accountId) ?? [];
    this.#accounts.set(record.accountId, buckets);
    const bucket = bucketAt(buckets, minute);
    bucket.requests += 1;
    if (record.usage === null) return;
    bucket.cacheRead += record.usage.cacheRead;
    bucket.prompt += contextTokens(record.usage);
    bucket.output += record.usage.output;
  }

  view(accountId: AccountId, now: number): RecentView {
    const minute = Math.floor(now / MINUTE_MS);
    const buckets = (this.#accounts.get(accountId) ?? []).filter((bucket) =>
      bucket.minute > minute - MINUTES_MAX && bucket.minute <= minute
    );
    const sum = (pick: (bucket: Bucket) => number, minutes: number) =>
      buckets.filter((bucket) => bucket.minute > minute - minutes)
        .reduce((total, bucket) => total + pick(bucket), 0);
    const prompt = sum((bucket) => bucket.prompt, MINUTES_MAX);
    const read = sum((bucket) => bucket.cacheRead, MINUTES_MAX);
    return {
      requests15m: sum((bucket) => bucket.requests, SHORT_MINUTES),
      requests1h: sum((bucket) => bucket.requests, MINUTES_MAX),
      hitRate1h: prompt === 0 ? null : read / prompt,
      tokens1h: prompt + sum((bucket) => bucket.output, MINUTES_MAX),
    };
  }
}

/** The bucket of `minute`; older ones than an hour go. */
function bucketAt(buckets: Bucket[], minute: number): Bucket {
  const found = buckets.findLast((bucket) => bucket.minute === minute);
  if (found !== undefined) return found;
  const bucket = { minute, requests: 0, cacheRead: 0, prompt: 0, output: 0 };
  buckets.push(bucket);
  while ((buckets[0]?.minute ?? minute) <= minute - MINUTES_MAX) {
    buckets.shift();
  }
  return bucket;
}

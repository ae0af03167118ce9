/**
 * What the fake provider remembers: each request as it came, how it ended, and
 * what it truly cost.
 *
 * @module
 */

import type { Instant } from "../../core/time.ts";
import { NO_USAGE, type TokenUsage } from "../../core/usage.ts";
import type { HeaderList } from "../../ports.ts";

/** How an answer ended, as the provider saw it. */
export type Ending =
  /** Everything was sent. */
  | "complete"
  /** The client closed the connection first. */
  | "client_gone"
  /** A script or a fault broke the transfer off. */
  | "cut"
  /** A clean end of the transfer without `message_stop`. */
  | "ended_early"
  /** An `event: error` inside the stream. */
  | "error_event";

/** One request at the fake provider. */
export interface DemoRequest {
  readonly ordinal: number;
  readonly startedAt: Instant;
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  /** As the server saw them: lower case, sorted by name. */
  readonly headers: HeaderList;
  /** Empty until the body has arrived. */
  readonly bodySha256: string;
  readonly bodyBytes: number;
  /** Header `x-demo-nonce`, for tests that count sends. */
  readonly nonce: string | null;
  readonly session: string | null;
  readonly agent: string | null;
  /** The account whose credential it showed, or null. */
  readonly account: string | null;
  /** The fake credential that it showed; null if it was not one of ours. */
  readonly token: string | null;
  readonly model: string | null;
  /** Null until the answer starts. */
  readonly status: number | null;
  /**
   * Whether it was processed: then it cost quota and must never be sent twice.
   */
  readonly isAccepted: boolean;
  /** What the answer was scripted or drawn to be, or null. */
  readonly fault: string | null;
  readonly ending: Ending | null;
  readonly endedAt: Instant | null;
  /** What it truly cost so far. */
  readonly usage: TokenUsage;
  /** What the answer has said about its cost so far. */
  readonly reported: TokenUsage;
}

/** The same record, writable for its owner. */
export type OpenRequest = {
  -readonly [Key in keyof DemoRequest]: DemoRequest[Key];
};

/** What is known when the head has arrived. */
type SeenHead = Pick<
  DemoRequest,
  "startedAt" | "method" | "target" | "headers" | "nonce" | "session" | "agent"
>;

export interface Sum {
  readonly requests: number;
  /** What the provider counted. */
  readonly usage: TokenUsage;
  /** What the answers said; an observer can know no more. */
  readonly reported: TokenUsage;
}

/** Sums over all accepted requests. */
export interface Truth {
  readonly total: Sum;
  readonly byAccount: Readonly<Record<string, Sum>>;
  readonly byModel: Readonly<Record<string, Sum>>;
  readonly bySession: Readonly<Record<string, Sum>>;
}

/** Counts are small compared with records, so many more of them are kept. */
const COUNTS_PER_RECORD = 50;

const NO_SUM: Sum = { requests: 0, usage: NO_USAGE, reported: NO_USAGE };

export class RecordBook {
  readonly #requestsMax: number;
  readonly #requests: OpenRequest[] = [];
  readonly #acceptedPerBody = new Map<string, number>();
  readonly #acceptedPerNonce = new Map<string, number>();
  readonly #byAccount = new Map<string, Sum>();
  readonly #byModel = new Map<string, Sum>();
  readonly #bySession = new Map<string, Sum>();
  #total = NO_SUM;
  #ordinal = 0;
  #running = 0;
  #idle = Promise.withResolvers<void>();

  /**
   * Keeps at least the last `requestsMax` records; sums and counts cover all.
   */
  constructor(requestsMax: number) {
    this.#requestsMax = requestsMax;
    this.#idle.resolve();
  }

  /** Starts the record of a request whose head has arrived. */
  open(seen: SeenHead): OpenRequest {
    const request: OpenRequest = {
      ...UNKNOWN,
      ...seen,
      ordinal: this.#ordinal++,
    };
    this.#requests.push(request);
    // In batches, because shifting a long list for each request would be slow.
    const isLong = this.#requests.length >= 2 * this.#requestsMax;
    if (isLong) this.#requests.splice(0, this.#requestsMax);
    if (this.#running === 0) this.#idle = Promise.withResolvers();
    this.#running += 1;
    return request;
  }

  accept(request: OpenRequest): void {
    request.isAccepted = true;
    this.#countAccepted(this.#acceptedPerBody, request.bodySha256);
    if (request.nonce === null) return;
    this.#countAccepted(this.#acceptedPerNonce, request.nonce);
  }

  /** Books the end and returns true; only the first call counts. */
  close(request: OpenRequest, ending: Ending, at: Instant): boolean {
    if (request.ending !== null) return false;
    request.ending = ending;
    request.endedAt = at;
    if (request.isAccepted) this.#book(request);
    this.#running -= 1;
    if (this.#running === 0) this.#idle.resolve();
    return true;
  }

  /** Requests that have not ended. */
  get running(): number {
    return this.#running;
  }

  /** Resolves when nothing runs. */
  idle(): Promise<void> {
    return this.#idle.promise;
  }

  all(): readonly DemoRequest[] {
    return this.#requests;
  }

  acceptedPerBody(): ReadonlyMap<string, number> {
    return this.#acceptedPerBody;
  }

  acceptedPerNonce(): ReadonlyMap<string, number> {
    return this.#acceptedPerNonce;
  }

  truth(): Truth {
    return {
      total: this.#total,
      byAccount: Object.fromEntries(this.#byAccount),
      byModel: Object.fromEntries(this.#byModel),
      bySession: Object.fromEntries(this.#bySession),
    };
  }

  #countAccepted(counts: Map<string, number>, key: string): void {
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const isFull = counts.size > this.#requestsMax * COUNTS_PER_RECORD;
    const [oldest] = isFull ? counts.keys() : [];
    if (oldest !== undefined) counts.delete(oldest);
  }

  #book(request: DemoRequest): void {
    this.#total = plus(this.#total, request);
    addTo(this.#byAccount, request.account, request);
    addTo(this.#byModel, request.model, request);
    addTo(this.#bySession, request.session, request);
  }
}

const UNKNOWN = {
  bodySha256: "",
  bodyBytes: 0,
  account: null,
  token: null,
  model: null,
  status: null,
  isAccepted: false,
  fault: null,
  ending: null,
  endedAt: null,
  usage: NO_USAGE,
  reported: NO_USAGE,
} as const;

function addTo(
  sums: Map<string, Sum>,
  key: string | null,
  request: DemoRequest,
): void {
  if (key !== null) sums.set(key, plus(sums.get(key) ?? NO_SUM, request));
}

function plus(sum: Sum, request: DemoRequest): Sum {
  return {
    requests: sum.requests + 1,
    usage: addUsage(sum.usage, request.usage),
    reported: addUsage(sum.reported, request.reported),
  };
}

/** Returns the sum of two token counts. */
export function addUsage(a: TokenUsage, b: TokenUsage): TokenUsage {
  return {
    input: a.input + b.input,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite5m: a.cacheWrite5m + b.cacheWrite5m,
    cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
    output: a.output + b.output,
  };
}

/** Returns one request as a compact line: `work 429`, `home 200 complete`. */
export function logLine(request: DemoRequest): string {
  const who = request.account ?? "nobody";
  if (request.status === null) return `${who} ${request.ending ?? "open"}`;
  if (request.status !== 200) return `${who} ${request.status}`;
  return `${who} 200 ${request.ending ?? "open"}`;
}

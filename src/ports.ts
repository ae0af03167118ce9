/**
 * The interfaces through which the inside sees the outside. The server and the
 * commands build real ones; tests build their own.
 *
 * @module
 */

import type { AccountId, LeaseId } from "./core/account.ts";
import type { Payment } from "./core/pool/event.ts";
import type { PoolEvent, PoolSnapshot, RouteFacts } from "./core/pool/pool.ts";
import type { PricedAnswer, PriceTerms } from "./core/pricing.ts";
import type { PeriodEnds } from "./core/quota/spending.ts";
import type { Instant } from "./core/time.ts";
import type { TokenUsage } from "./core/usage.ts";
import type { CapacityVerdict } from "./core/quota/verdict.ts";
import type { Secret } from "./secret.ts";

export { RefreshToken } from "./refresh_token.ts";
export { Secret } from "./secret.ts";
export type * from "./vault_ports.ts";

/** The clocks of the machine. `monotonicMs` is only for durations. */
export interface Clock {
  now(): Instant;
  monotonicMs(): number;
  /** Rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Random values; tests seed them. */
export interface Entropy {
  /** Uniform in [0, 1). */
  random(): number;
  /** Cryptographically strong bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
  uuid(): string;
}

/** An in-flight permit on one account. `close` is safe to call twice. */
export interface Lease {
  readonly id: LeaseId;
  readonly accountId: AccountId;
  /** `paid`: what was paid for the request; null if it was not paid for. */
  close(usage: TokenUsage | null, paid?: Payment | null): void;
}

/** The one mutable cell, as the data plane sees it. */
export interface Pool {
  snapshot(): PoolSnapshot;
  openLease(accountId: AccountId, facts: RouteFacts): Lease;
  judge(lease: Lease, verdict: CapacityVerdict): void;
  dispatch(event: PoolEvent): void;
  /** Resolves when the pool changes or at `until`, whichever comes first. */
  changed(until: Instant, signal: AbortSignal): Promise<void>;
}

/** A request before it is sent, as far as its price is concerned. */
export interface PricedRequest {
  readonly model: string | null;
  /** Estimated tokens of the prompt. */
  readonly promptTokens: number;
  /** The most tokens that the response may have; null is unstated. */
  readonly outputTokensMax: number | null;
  readonly cacheTtlMs: number;
  readonly terms: PriceTerms;
}

/** Prices requests in nanodollars, and says when the periods of limits end. */
export interface Prices {
  /** Returns the price of a response; null if its model has none. */
  cost(usage: TokenUsage, answer: PricedAnswer): number | null;
  /** Returns the most that a request may cost; null if that is unknown. */
  costMax(request: PricedRequest): number | null;
  /** Returns when the present day, week and month end. */
  periodEnds(): PeriodEnds;
}

/** What a request shows to use an account. */
export interface Authorization {
  readonly accountId: AccountId;
  /**
   * OAuth goes as `Authorization: Bearer` with its beta, a key as `x-api-key`.
   */
  readonly scheme: "oauth" | "api_key" | "bearer";
  readonly token: Secret;
  /** An origin other than the configured upstream (backends only), or null. */
  readonly origin: string | null;
  /** Model names to replace (backends only), or null. */
  readonly modelMap: Readonly<Record<string, string>> | null;
}

export interface CredentialSource {
  /**
   * Returns a credential that is valid now, refreshed once for all who wait.
   */
  authorization(
    accountId: AccountId,
    signal: AbortSignal,
  ): Promise<Authorization>;
  /**
   * After a 401 on `refused`: returns a newer credential, by one forced refresh
   * for all who ask, or null if the account needs a login.
   */
  renew(
    refused: Authorization,
    signal: AbortSignal,
  ): Promise<Authorization | null>;
}

export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface UpstreamRequest {
  /** Scheme, host and port: `https://api.anthropic.com`. */
  readonly origin: string;
  readonly method: string;
  /** Path and query as written by the client. */
  readonly target: string;
  /**
   * Without `host`, `content-length` and hop-by-hop lines, which the connection
   * writes.
   */
  readonly headers: HeaderList;
  readonly body: Uint8Array | null;
  /**
   * A body that is sent as it arrives, in place of `body`; absent if there is
   * none.
   */
  readonly upload?: BodyStream | null;
  readonly signal: AbortSignal;
}

/**
 * A body too large to keep in memory, which can therefore be sent only once.
 */
export interface BodyStream {
  /** Its length; null if the client did not state it. */
  readonly statedBytes: number | null;
  /**
   * Returns the next bytes, valid until the next read; null at the end. May
   * reject.
   */
  read(): Promise<Uint8Array | null>;
}

export interface UpstreamResponse {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: UpstreamBody;
}

/** A body as it arrives: transfer coding removed, content coding untouched. */
export interface UpstreamBody {
  /** The whole body if it came with the head, else null. */
  readonly complete: Uint8Array | null;
  /**
   * Returns the next bytes, null at the end. Throws UpstreamError if the body
   * broke off.
   */
  read(): Promise<Uint8Array | null>;
  /**
   * Discards the rest and closes the connection; does nothing after the end.
   */
  cancel(): void;
}

export interface Upstream {
  /** Sends once, never twice. Throws UpstreamError. */
  send(request: UpstreamRequest): Promise<UpstreamResponse>;
}

/** How the answer to a client ended. */
export type RequestEnd =
  | "complete"
  | "upstream_failed"
  | "client_gone"
  /** tc answered by itself: no account could serve, or the request was bad. */
  | "refused";

/** One try of a request on one account. */
export interface AttemptRecord {
  readonly accountId: AccountId;
  readonly verdict: CapacityVerdict["kind"];
  readonly status: number | null;
  /** When it began and was judged; absent in rows of the ledger. */
  readonly startedAt?: Instant;
  readonly judgedAt?: Instant;
}

/** A finished request, as the ledger keeps it. It never holds prompt text. */
export interface RequestRecord {
  readonly id: string;
  readonly startedAt: Instant;
  readonly endedAt: Instant;
  readonly method: string;
  /** Path without query. */
  readonly path: string;
  readonly session: string | null;
  readonly agent: string | null;
  readonly conversation: string | null;
  readonly modelAsked: string | null;
  readonly modelAnswered: string | null;
  readonly isStream: boolean;
  /** Whether it carries a person's prompt, and not a tool's result. */
  readonly isPrompt: boolean;
  /**
   * Whether it is a side request of the client: a title, a quota probe, a
   * classifier.
   */
  readonly isSide: boolean;
  /** The account that answered, or null. */
  readonly accountId: AccountId | null;
  /** Why that account was chosen, in the router's own word. */
  readonly reason: string;
  readonly movedFrom: AccountId | null;
  /** Why `movedFrom` did not serve, in words; null if it could have. */
  readonly movedWhy: string | null;
  /**
   * What tc said when it answered by itself; null where an account answered,
   * and absent in rows of the ledger.
   */
  readonly why?: string | null;
  readonly policy: string;
  readonly attempts: readonly AttemptRecord[];
  readonly status: number;
  readonly waitedMs: number;
  /**
   * Time from the client's last byte to the answer's first; null without an
   * answer.
   */
  readonly firstByteMs: number | null;
  readonly durationMs: number;
  readonly usage: TokenUsage | null;
  /** What changes its price. */
  readonly terms: PriceTerms;
  /** Whether real money was paid for it, by a key or extra usage. */
  readonly isPaid: boolean;
  readonly stopReason: string | null;
  readonly isCompaction: boolean;
  readonly isCompacted: boolean;
  readonly end: RequestEnd;
  readonly errorType: string | null;
  /**
   * The provider's own id of the answer, its `request-id`: Claude Code's
   * transcripts name it.
   */
  readonly providerId: string | null;
  /** The repository of its session; null where that is not known. */
  readonly project: string | null;
  /** The client's W3C `traceparent`; absent or null where it sent none. */
  readonly traceParent?: string | null;
}

/** Knows in which repository a session works. */
export interface Projects {
  /**
   * Returns the project that a request names in its header, or the one that is
   * known of its session; null if neither is.
   */
  of(named: string | null, session: string | null): string | null;
  /** Looks for the project of a session. Never rejects. */
  find(session: string): Promise<string | null>;
}

/** Receives finished requests; must neither throw nor block. */
export interface RequestLog {
  finished(record: RequestRecord): void;
}

/** The upstream's answer, as it came. */
export interface AnswerBytes {
  readonly headers: HeaderList;
  /** The part that is kept; null if bodies are not kept. */
  readonly body: readonly Uint8Array[] | null;
}

/** A whole exchange, with secrets still in its headers. */
export interface ExchangeRecord {
  readonly record: RequestRecord;
  /** Path and query as the client wrote them. */
  readonly target: string;
  readonly requestHeaders: HeaderList;
  /** Valid until the call returns: its memory is freed after that. */
  readonly requestBody: Uint8Array;
  /** Null if tc answered by itself. */
  readonly answer: AnswerBytes | null;
}

/** Records exchanges for a person who asked; must neither throw nor block. */
export interface ExchangeLog {
  /** How many bytes of an answer's body to keep; 0 keeps none. */
  readonly bodyBytesMax: number;
  finished(exchange: ExchangeRecord): void;
}

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<
  Record<string, string | number | boolean | null>
>;

/**
 * Structured lines for people and machines. Fields never hold a Secret's value.
 */
export interface Journal {
  log(level: LogLevel, event: string, fields: LogFields): void;
}

/** Locks across processes; a lock is freed when its holder dies. */
export interface Locks {
  /** Throws a TcError with code `lock_timeout` after `waitMs`. */
  acquire(
    name: string,
    wait: { readonly waitMs: number; readonly signal?: AbortSignal },
  ): Promise<HeldLock>;
}

/** `release` is safe to call twice. */
export interface HeldLock extends Disposable {
  release(): void;
}

export type CommandOutcome =
  | {
    readonly kind: "exited";
    readonly code: number;
    readonly stdout: string;
    readonly stderr: string;
  }
  /** There is no such program. */
  | { readonly kind: "missing" }
  | { readonly kind: "timed_out" };

/** Runs programs of the system. Secrets go in by `stdin`, never by `args`. */
export interface CommandRunner {
  run(
    command: string,
    args: readonly string[],
    options: { readonly stdin: string; readonly timeoutMs: number },
  ): Promise<CommandOutcome>;
}

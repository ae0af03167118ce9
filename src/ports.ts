/**
 * The interfaces through which the inside sees the outside. Only the app room
 * builds real ones; tests build their own.
 *
 * @module
 */

import type { AccountId, AccountKind, LeaseId, Tier } from "./core/account.ts";
import type { PoolEvent, PoolSnapshot, RouteFacts } from "./core/pool.ts";
import type { Instant } from "./core/time.ts";
import type { TokenUsage } from "./core/usage.ts";
import type { CapacityVerdict } from "./core/verdict.ts";

/** The clocks of the machine. `monotonicMs` is for durations only. */
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
  close(usage: TokenUsage | null): void;
}

/** The one mutable cell, as the data plane sees it. */
export interface Pool {
  snapshot(): PoolSnapshot;
  openLease(accountId: AccountId, facts: RouteFacts): Lease;
  judge(lease: Lease, verdict: CapacityVerdict): void;
  dispatch(event: PoolEvent): void;
  /** Resolves when the pool changes or `until` passes, whichever is first. */
  changed(until: Instant, signal: AbortSignal): Promise<void>;
}

/** A value that no log, error, JSON or inspection prints. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself: for the wire and the vault alone. */
  reveal(): string {
    return this.#value;
  }

  equals(other: Secret): boolean {
    return this.#value === other.#value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [Symbol.for("Deno.customInspect")](): string {
    return "[secret]";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[secret]";
  }
}

/** How a request shows that it may use an account. */
export interface Authorization {
  readonly accountId: AccountId;
  /** OAuth goes as `Authorization: Bearer` with its beta, a key as `x-api-key`. */
  readonly scheme: "oauth" | "api_key" | "bearer";
  readonly token: Secret;
  /** Another origin than the configured upstream (backends only), or null. */
  readonly origin: string | null;
  /** Model names to replace (backends only), or null. */
  readonly modelMap: Readonly<Record<string, string>> | null;
}

export interface CredentialSource {
  /** A credential that is valid now; refreshes once for all who wait. */
  authorization(
    accountId: AccountId,
    signal: AbortSignal,
  ): Promise<Authorization>;
  /**
   * After a 401 on `refused`: a newer credential, by one forced refresh for all
   * who ask, or null when there is none and the account needs a login.
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
  /** Without `host`, `content-length` and hop-by-hop lines: the pool writes those. */
  readonly headers: HeaderList;
  readonly body: Uint8Array | null;
  readonly signal: AbortSignal;
}

export interface UpstreamResponse {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: UpstreamBody;
}

/** A body as it arrives: transfer coding removed, content coding untouched. */
export interface UpstreamBody {
  /** The whole body when it came with the head, else null. */
  readonly complete: Uint8Array | null;
  /** The next bytes, null at the end; throws UpstreamError when it broke. */
  read(): Promise<Uint8Array | null>;
  /** Gives the rest up and closes the connection; harmless after the end. */
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
  /** Answered by tc itself: no account could serve, or the request was bad. */
  | "refused";

/** One try of a request on one account. */
export interface AttemptRecord {
  readonly accountId: AccountId;
  readonly verdict: CapacityVerdict["kind"];
  readonly status: number | null;
}

/** A request that has ended: what the ledger keeps. No prompt text, ever. */
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
  /** The account that answered, or null. */
  readonly accountId: AccountId | null;
  /** Why that account: the router's own word. */
  readonly reason: string;
  readonly movedFrom: AccountId | null;
  readonly policy: string;
  readonly attempts: readonly AttemptRecord[];
  readonly status: number;
  readonly waitedMs: number;
  /** From the client's last byte to the answer's first; null without one. */
  readonly firstByteMs: number | null;
  readonly durationMs: number;
  readonly usage: TokenUsage | null;
  readonly stopReason: string | null;
  readonly isCompaction: boolean;
  readonly isCompacted: boolean;
  readonly end: RequestEnd;
  readonly errorType: string | null;
}

/** Whoever wants to know of finished requests; must not throw nor block. */
export interface RequestLog {
  finished(record: RequestRecord): void;
}

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<
  Record<string, string | number | boolean | null>
>;

/** Structured lines for people and machines. Fields never hold a Secret's value. */
export interface Journal {
  log(level: LogLevel, event: string, fields: LogFields): void;
}

/** Whom the provider says an account is: one person may own several organisations. */
export interface AccountIdentity {
  readonly accountUuid: string;
  readonly organizationUuid: string;
}

/** A login with a refresh token that is spent by its first use. */
export interface OAuthCredential {
  readonly kind: "oauth";
  readonly accessToken: Secret;
  readonly refreshToken: Secret;
  readonly expiresAt: Instant;
  readonly scopes: readonly string[];
}

export type Credential =
  | OAuthCredential
  /** `claude setup-token`: no refresh, no profile; its end is seldom known. */
  | {
    readonly kind: "setup_token";
    readonly token: Secret;
    readonly expiresAt: Instant | null;
  }
  /** Goes as `x-api-key`. */
  | { readonly kind: "api_key"; readonly token: Secret }
  /** Goes as `Authorization: Bearer`; backends only. */
  | { readonly kind: "bearer"; readonly token: Secret };

/** Another program that holds the same refresh token family. */
export interface SharedFamily {
  readonly tool:
    | "claude_code"
    | "teamclaude"
    | "maxpool"
    | "nextclaude"
    | "claude_pool";
  /** Its file, or the name of its keychain item. */
  readonly location: string;
}

/** One account in the vault: enough to rebuild the account list from. */
export interface VaultEntry {
  readonly id: AccountId;
  readonly label: string;
  readonly kind: AccountKind;
  /** Null where the provider does not tell: keys, setup tokens. */
  readonly identity: AccountIdentity | null;
  readonly email: string | null;
  readonly organization: string | null;
  readonly tier: Tier;
  readonly credential: Credential;
  /** When tc itself got the credential; the epoch for one that was imported. */
  readonly savedAt: Instant;
  readonly sharedWith: SharedFamily | null;
  /** SHA-256 in hex of a refresh token that the provider refused, or null. */
  readonly refusedTokenHash: string | null;
}

export interface VaultListing {
  readonly entries: readonly VaultEntry[];
  /** Entries that are there and cannot be read; nothing overwrites them. */
  readonly damaged: readonly {
    readonly id: AccountId;
    readonly reason: string;
  }[];
}

/** Where credentials live. Every method may throw VaultError. */
export interface Vault {
  list(): Promise<VaultListing>;
  /** Null when there is no such entry; throws when it cannot be read. */
  get(id: AccountId): Promise<VaultEntry | null>;
  /** Adds the entry or replaces it. Durable when it resolves. */
  put(entry: VaultEntry): Promise<void>;
  /** Whether there was one. */
  remove(id: AccountId): Promise<boolean>;
  /**
   * Reads the entry anew under the vault's lock, lets `change` replace it and
   * writes the result. Resolves to what is stored then; null when there is none,
   * and then `change` was not called. Durable when it resolves.
   */
  update(
    id: AccountId,
    change: (entry: VaultEntry) => VaultEntry,
  ): Promise<VaultEntry | null>;
  /** Where the secrets are and what is wrong with it, for `tc status`. */
  describe(): VaultDescription;
}

export interface VaultDescription {
  readonly backend: "file" | "keychain";
  readonly text: string;
  /** Why the wanted backend is not used, or null. */
  readonly fallback: string | null;
}

/** Locks that hold across processes and fall free when their holder dies. */
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

/** Runs programs of the system; secrets go in by `stdin`, never by `args`. */
export interface CommandRunner {
  run(
    command: string,
    args: readonly string[],
    options: { readonly stdin: string; readonly timeoutMs: number },
  ): Promise<CommandOutcome>;
}

/**
 * Gives valid credentials to everything that sends. A credential is renewed
 * once for all who wait, in this process and across processes.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type { CredentialState, PoolEvent } from "../core/pool/pool.ts";
import { SECOND_MS } from "../core/time.ts";
import { CredentialError, VaultError } from "../errors.ts";
import type {
  Authorization,
  CredentialSource,
  Secret,
  VaultEntry,
  VaultListing,
} from "../ports.ts";
import { AccountCredential } from "./account_credential.ts";
import { isDead } from "../lineage.ts";
import {
  DEAD_TOKEN,
  deadReason,
  ENDED_SIGN_IN,
  isGood,
  type Renewal,
  within,
} from "./renewal.ts";
import { isOAuth, type RefreshPorts } from "./provider.ts";
import { commandWord } from "../shell_words.ts";

/** Longest wait for a successor while the present token still serves. */
const SOFT_WAIT_MS = 5 * SECOND_MS;

/** The configured destination of an account's requests. */
export interface Destination {
  readonly origin: string | null;
  readonly modelMap: Readonly<Record<string, string>> | null;
}

interface RefresherPorts extends RefreshPorts {
  /** Receives the events that tell the pool whose credential serves. */
  readonly dispatch: (event: PoolEvent) => void;
  readonly destination: (id: AccountId) => Destination;
}

export class Refresher implements CredentialSource {
  readonly #ports: RefresherPorts;
  readonly #accounts = new Map<AccountId, AccountCredential>();
  /**
   * The last state reported for each account, so that nothing is reported
   * twice.
   */
  readonly #told = new Map<AccountId, string>();
  readonly #healing = new Set<Promise<void>>();

  constructor(ports: RefresherPorts) {
    this.#ports = ports;
  }

  /**
   * Returns a credential that is valid now. Throws CredentialError:
   * `needs_login`, or `credential_unavailable` until a time.
   */
  async authorization(
    accountId: AccountId,
    signal: AbortSignal,
  ): Promise<Authorization> {
    const { clock } = this.#ports;
    const account = this.#account(accountId);
    const entry = await this.#entry(accountId);
    if (isGood(entry, null, clock.now())) return this.#authorize(entry);
    const isAlive = isOAuth(entry) && entry.credential.expiresAt > clock.now();
    const renewal = await within(
      this.#noted(accountId, account.renew(null), null),
      { clock, signal, limitMs: isAlive ? SOFT_WAIT_MS : null },
    );
    if (renewal?.kind === "usable") return this.#authorize(renewal.entry);
    signal.throwIfAborted();
    // A token that could not be renewed ahead of time serves until its end.
    if (isAlive && renewal?.kind !== "gone") return this.#authorize(entry);
    throw errorOf(entry.label, accountId, renewal);
  }

  /**
   * Returns another credential after a 401 on `refused`, by one forced renewal
   * for all who ask, or null if the account needs a login. Throws
   * CredentialError `credential_unavailable` if that is unknown at present.
   */
  async renew(
    refused: Authorization,
    signal: AbortSignal,
  ): Promise<Authorization | null> {
    const { accountId, token } = refused;
    const { clock } = this.#ports;
    const account = this.#account(accountId);
    const entry = await this.#entry(accountId);
    if (isGood(entry, token, clock.now())) return this.#authorize(entry);
    const renewal = await within(
      this.#noted(accountId, account.renew(token), token),
      { clock, signal, limitMs: null },
    );
    signal.throwIfAborted();
    switch (renewal?.kind) {
      case "usable":
        return this.#authorize(renewal.entry);
      case "needs_login":
      case "gone":
        return null;
      default:
        throw errorOf(entry.label, accountId, renewal);
    }
  }

  /**
   * Notes that a request with the account's credential was served, whatever was
   * said about it before. A dead refresh token stays dead.
   */
  served(accountId: AccountId): void {
    this.#accounts.get(accountId)?.served();
    const told = this.#told.get(accountId);
    const isOver = told?.endsWith(DEAD_TOKEN) || told?.endsWith(ENDED_SIGN_IN);
    if (told === undefined || isOver) return;
    this.#tell(accountId, { kind: "ready" });
  }

  /**
   * Reads the vault again: at the start, after another process signed in, at a
   * reload. Tells the pool for every account whether its credential can serve.
   */
  async reload(): Promise<VaultListing> {
    const listing = await this.#ports.vault.list();
    const kept: VaultEntry[] = [];
    const damaged: VaultListing["damaged"][number][] = [];
    for (const one of listing.damaged) {
      // What was read before the keychain was locked serves on.
      const known = one.unlock === null ? null : await this.#remembered(one.id);
      if (known !== null) kept.push(known);
      else {
        damaged.push(one);
        this.#tell(one.id, this.#needsLogin(one.reason));
      }
    }
    const isKept = new Set(kept.map(({ id }) => id));
    for (const [id, account] of this.#accounts) {
      if (!isKept.has(id)) account.forget();
    }
    for (const entry of listing.entries) {
      this.#tell(entry.id, this.#stateOf(entry));
      this.#heal(entry);
    }
    return { entries: [...listing.entries, ...kept], damaged };
  }

  /** What this process has read of an account, or null. */
  async #remembered(id: AccountId): Promise<VaultEntry | null> {
    return await this.#accounts.get(id)?.entry().catch(() => null) ?? null;
  }

  /**
   * Accounts whose newest login is only in memory because the disk refuses it.
   */
  get unsaved(): readonly AccountId[] {
    return [...this.#accounts].filter(([, account]) => account.isUnsaved)
      .map(([id]) => id);
  }

  /** Waits for renewals under way, and saves what is not saved. */
  async close(): Promise<void> {
    await Promise.all(this.#healing);
    await Promise.all(
      [...this.#accounts.values()].map((account) => account.close()),
    );
  }

  /** A process that died may have renewed a login without telling its owner. */
  #heal({ id, sharedWith }: VaultEntry): void {
    if (sharedWith === null || this.#ports.owners === null) return;
    const healing = this.#account(id).heal().finally(() =>
      this.#healing.delete(healing)
    );
    this.#healing.add(healing);
  }

  #account(id: AccountId): AccountCredential {
    const known = this.#accounts.get(id);
    if (known !== undefined) return known;
    const account = new AccountCredential(id, this.#ports);
    this.#accounts.set(id, account);
    return account;
  }

  async #entry(id: AccountId): Promise<VaultEntry> {
    try {
      const entry = await this.#account(id).entry();
      if (entry !== null) return entry;
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      this.#tell(id, this.#needsLogin(error.message));
      throw errorOf(id, id, { kind: "needs_login", reason: error.message });
    }
    throw errorOf(id, id, { kind: "gone" });
  }

  /**
   * Tells the pool how a renewal ended; all who joined it report the same.
   * `refused` is the access token that the provider refused, if there was one.
   */
  async #noted(
    id: AccountId,
    renewing: Promise<Renewal>,
    refused: Secret | null,
  ): Promise<Renewal> {
    const renewal = await renewing;
    switch (renewal.kind) {
      case "usable":
        this.#tell(id, { kind: "ready" });
        break;
      case "needs_login":
        this.#tell(id, this.#needsLogin(renewal.reason));
        break;
      case "failed":
        await this.#tellFailed(id, renewal, refused);
        break;
      case "gone":
        this.#told.delete(id);
        break;
    }
    return renewal;
  }

  /**
   * A failed renewal bars the account only if no token serves any more: the
   * present one has ended or was refused.
   */
  async #tellFailed(
    id: AccountId,
    { reason, retryAt }: Extract<Renewal, { kind: "failed" }>,
    refused: Secret | null,
  ): Promise<void> {
    const entry = await this.#account(id).entry().catch(() => null);
    const isAlive = entry !== null && isOAuth(entry) &&
      entry.credential.expiresAt > this.#ports.clock.now() &&
      (refused === null || !entry.credential.accessToken.equals(refused));
    if (isAlive) return;
    this.#tell(id, {
      kind: "quarantined",
      fault: "expired",
      reason: `could not be renewed: ${reason}`,
      until: retryAt,
    });
  }

  #stateOf(entry: VaultEntry): CredentialState {
    return isDead(entry)
      ? this.#needsLogin(deadReason(entry, this.#ports.clock.now()))
      : { kind: "ready" };
  }

  #needsLogin(reason: string): CredentialState {
    return { kind: "needs_login", since: this.#ports.clock.now(), reason };
  }

  #tell(accountId: AccountId, credential: CredentialState): void {
    const key = credential.kind === "needs_login"
      ? `needs_login ${credential.reason}`
      : credential.kind === "quarantined"
      ? `quarantined ${credential.until} ${credential.reason}`
      : "ready";
    if (this.#told.get(accountId) === key) return;
    this.#told.set(accountId, key);
    this.#ports.dispatch({ kind: "credential_changed", accountId, credential });
  }

  #authorize(entry: VaultEntry): Authorization {
    const { origin, modelMap } = this.#ports.destination(entry.id);
    const accountId = entry.id;
    const { credential } = entry;
    const target = { accountId, origin, modelMap };
    switch (credential.kind) {
      case "oauth":
        return { ...target, scheme: "oauth", token: credential.accessToken };
      case "setup_token":
        return { ...target, scheme: "oauth", token: credential.token };
      case "api_key":
      case "bearer":
        return { ...target, scheme: credential.kind, token: credential.token };
    }
  }
}

function errorOf(
  label: string,
  accountId: AccountId,
  renewal: Renewal | null,
): CredentialError {
  if (renewal?.kind === "failed") {
    const { reason, retryAt } = renewal;
    return new CredentialError(
      `Cannot renew the login of ${label}: ${reason}`,
      {
        code: "credential_unavailable",
        accountId,
        retryAt,
      },
    );
  }
  const reason = renewal?.kind === "needs_login"
    ? renewal.reason
    : "there is no such account";
  return new CredentialError(`Cannot use ${label}: ${reason}`, {
    code: "needs_login",
    accountId,
    retryAt: null,
    hint: `tc login --account ${commandWord(label)}`,
  });
}

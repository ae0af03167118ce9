/**
 * The credential of one account in this process: what is known of it, the one
 * renewal that may be under way, and a successor that is not on disk yet.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import { SECOND_MS } from "../core/time.ts";
import { TcError } from "../errors.ts";
import type {
  HeldLock,
  OAuthCredential,
  Secret,
  VaultEntry,
} from "../ports.ts";
import { tokenHash } from "./account_id.ts";
import { LateSave } from "./late_save.ts";
import {
  isOAuth,
  type OAuthEntry,
  type RefreshPorts,
} from "./refresh_ports.ts";
import { DEAD_TOKEN, isGood, nextStep, readOwner } from "./renewal.ts";
import {
  type FailedRenewal,
  type Renewal,
  RenewalPause,
} from "./renewal_pause.ts";

/** Another process may be waiting for the token endpoint under the lock. */
const LOCK_WAIT_MS = 90 * SECOND_MS;

export class AccountCredential {
  readonly #id: AccountId;
  readonly #ports: RefreshPorts;
  readonly #pause: RenewalPause;
  #entry: VaultEntry | null = null;
  #flight: Promise<Renewal> | null = null;
  /**
   * A successor that the disk has not taken. The lock is held as long as there
   * is one: no other process may spend the predecessor that stands on disk.
   */
  #unsaved: LateSave | null = null;
  #lock: HeldLock | null = null;

  constructor(id: AccountId, ports: RefreshPorts) {
    this.#id = id;
    this.#ports = ports;
    this.#pause = new RenewalPause(ports.clock);
  }

  /** What is known of the account, read from the vault at first; null if gone. */
  async entry(): Promise<VaultEntry | null> {
    this.#entry ??= await this.#ports.vault.get(this.#id);
    return this.#entry;
  }

  /** Whether there is a successor that the disk has not taken. */
  get isUnsaved(): boolean {
    return this.#unsaved !== null;
  }

  /** Reads anew at the next use; a successor that is not saved is not forgotten. */
  forget(): void {
    if (this.#unsaved !== null || this.#flight !== null) return;
    this.#entry = null;
    this.#pause.clear();
  }

  /**
   * A credential other than `refused` and not near its end (null: any such).
   * All who ask at the same time get the result of one renewal.
   */
  async renew(refused: Secret | null): Promise<Renewal> {
    while (this.#flight !== null) {
      const renewal = await this.#flight;
      // It may have ended with the very token that was refused since.
      if (!isRefused(renewal, refused)) return renewal;
    }
    const resting = this.#pause.renewal;
    if (resting !== null && !isRefused(resting, refused)) return resting;
    this.#flight = this.#run(refused);
    try {
      return await this.#flight;
    } finally {
      this.#flight = null;
    }
  }

  /** Waits for what is under way and tries a last time to save what is not. */
  async close(): Promise<void> {
    await this.#flight;
    await this.#unsaved?.close();
    this.#unsaved = null;
    this.#release();
  }

  async #run(refused: Secret | null): Promise<Renewal> {
    const { locks } = this.#ports;
    try {
      this.#lock ??= await locks.acquire(this.#id, { waitMs: LOCK_WAIT_MS });
      return await this.#renewLocked(refused);
    } catch (error) {
      if (!(error instanceof TcError)) throw error;
      return this.#told(this.#pause.afterFault(error.message));
    } finally {
      if (this.#unsaved === null) this.#release();
    }
  }

  async #renewLocked(refused: Secret | null): Promise<Renewal> {
    // Under the lock the vault counts, not what is remembered.
    const entry = this.#unsaved?.entry ??
      await this.#ports.vault.update(this.#id, (stored) => stored);
    this.#entry = entry;
    if (entry === null) return { kind: "gone" };
    const step = await nextStep(entry, refused, this.#ports);
    switch (step.kind) {
      case "keep":
        return this.#usable(step.entry);
      case "needs_login":
        return step;
      case "failed":
        return this.#told(
          this.#pause.afterRefusal(step.reason, step.retryAfterMs),
        );
      case "reread":
        return await this.#reread(refused);
      case "bury":
        return await this.#bury(entry);
      case "spent":
        return await this.#afterSpending(entry, step.credential);
      case "adopt":
        return await this.#adopt(entry, step.credential);
    }
  }

  async #afterSpending(
    before: VaultEntry,
    credential: OAuthCredential,
  ): Promise<Renewal> {
    const { clock, journal } = this.#ports;
    if (!isOAuth(before)) return { kind: "usable", entry: before };
    await this.#save(before, {
      ...before,
      credential,
      savedAt: clock.now(),
      // Its other holder may show the spent token still: it is known again.
      refusedTokenHash: before.sharedWith === null
        ? null
        : await tokenHash(before.credential.refreshToken),
    });
    journal.log("info", "token_renewed", {
      account: before.id,
      label: before.label,
      expires_at: credential.expiresAt,
    });
    await this.#handBack(before, credential);
    return this.#stored();
  }

  async #adopt(
    before: VaultEntry,
    credential: OAuthCredential,
  ): Promise<Renewal> {
    if (!isOAuth(before)) return { kind: "usable", entry: before };
    // Its age is not known, so `savedAt` stays.
    await this.#save(before, { ...before, credential, refusedTokenHash: null });
    return this.#stored();
  }

  /** Puts `entry` on disk before anyone gets it, or keeps it until it is there. */
  async #save(before: OAuthEntry, entry: OAuthEntry): Promise<void> {
    this.#entry = entry;
    if (this.#unsaved !== null) {
      this.#unsaved.replace(entry);
      return;
    }
    const { refreshToken } = before.credential;
    const late = new LateSave(refreshToken, entry, this.#ports);
    const outcome = await late.save();
    if (outcome.kind === "saved") {
      this.#entry = outcome.entry;
      return;
    }
    this.#unsaved = late;
    late.retry((stored) => {
      this.#unsaved = null;
      this.#entry = stored;
      // A renewal under way lets the lock go itself.
      if (this.#flight === null) this.#release();
    });
  }

  #stored(): Renewal {
    return this.#entry === null ? { kind: "gone" } : this.#usable(this.#entry);
  }

  async #reread(refused: Secret | null): Promise<Renewal> {
    const { vault, clock } = this.#ports;
    this.#entry = await vault.get(this.#id);
    if (this.#entry === null) return { kind: "gone" };
    const theirs = await readOwner(this.#entry, refused, this.#ports);
    if (theirs !== null) return await this.#adopt(this.#entry, theirs);
    return isGood(this.#entry, refused, clock.now())
      ? this.#usable(this.#entry)
      : this.#told(this.#pause.afterFault("somebody else is renewing it"));
  }

  /** Remembers the dead token by its hash, so that it is never sent again. */
  async #bury(entry: VaultEntry): Promise<Renewal> {
    const renewal: Renewal = { kind: "needs_login", reason: DEAD_TOKEN };
    if (!isOAuth(entry)) return renewal;
    const { refreshToken } = entry.credential;
    const refusedTokenHash = await tokenHash(refreshToken);
    this.#ports.journal.log("error", "token_refused", {
      account: entry.id,
      label: entry.label,
    });
    await this.#save(entry, { ...entry, refusedTokenHash });
    return renewal;
  }

  #usable(entry: VaultEntry): Renewal {
    const renewal: Renewal = { kind: "usable", entry };
    this.#pause.clear();
    const { clock } = this.#ports;
    if (!isGood(entry, null, clock.now())) this.#pause.settleFor(renewal);
    return renewal;
  }

  #told(renewal: FailedRenewal): FailedRenewal {
    this.#ports.journal.log("warn", "token_not_renewed", {
      account: this.#id,
      reason: renewal.reason,
      retry_at: renewal.retryAt,
    });
    return renewal;
  }

  async #handBack(before: OAuthEntry, next: OAuthCredential): Promise<void> {
    const { owners, journal } = this.#ports;
    const { sharedWith, credential, id } = before;
    if (sharedWith === null || owners === null) return;
    try {
      await owners.handBack?.(sharedWith, credential.refreshToken, next);
    } catch {
      // The owner's own login suffers, ours does not: told, not thrown.
      journal.log("warn", "token_not_handed_back", {
        account: id,
        owner: sharedWith.tool,
      });
    }
  }

  #release(): void {
    this.#lock?.release();
    this.#lock = null;
  }
}

function isRefused(renewal: Renewal, refused: Secret | null): boolean {
  return refused !== null && renewal.kind === "usable" &&
    isOAuth(renewal.entry) &&
    renewal.entry.credential.accessToken.equals(refused);
}

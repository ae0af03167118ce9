/**
 * The credential of one account in this process: what is known about it, the
 * one renewal that may be under way, and a successor that is not on disk yet.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import { MINUTE_MS, SECOND_MS } from "../core/time.ts";
import { TcError } from "../errors.ts";
import type {
  HeldLock,
  OAuthCredential,
  Secret,
  VaultEntry,
} from "../ports.ts";
import type { OwnerHold } from "./shared/family_owners.ts";
import { LateSave } from "./late_save.ts";
import { kinship, movedOn } from "../lineage.ts";
import { isOAuth, type OAuthEntry, type RefreshPorts } from "./provider.ts";
import {
  deadReason,
  type FailedRenewal,
  hasEnded,
  isGood,
  type Renewal,
  RenewalPause,
  whyNotSpent,
} from "./renewal.ts";
import { standingOf } from "./shared/shared_login.ts";
import { spendRefreshToken } from "./spend_refresh_token.ts";

/**
 * How long to wait for the lock: another process may hold it while it waits for
 * the token endpoint.
 */
const LOCK_WAIT_MS = 90 * SECOND_MS;
/**
 * First pause before an owner that did not get its successor is tried again.
 */
const HEAL_PAUSE_MIN_MS = SECOND_MS;
const HEAL_PAUSE_MAX_MS = MINUTE_MS;

export class AccountCredential {
  readonly #id: AccountId;
  readonly #ports: RefreshPorts;
  readonly #pause: RenewalPause;
  #entry: VaultEntry | null = null;
  #flight: Promise<Renewal> | null = null;
  /**
   * A successor that the disk has refused. The lock is held while there is one,
   * because no other process may spend the predecessor that is still on disk.
   */
  #unsaved: LateSave | null = null;
  #lock: HeldLock | null = null;
  /** Ends the attempts to give the owner of a shared login its successor. */
  readonly #stop = new AbortController();
  #healing: Promise<void> | null = null;

  constructor(id: AccountId, ports: RefreshPorts) {
    this.#id = id;
    this.#ports = ports;
    this.#pause = new RenewalPause(ports.clock);
  }

  /**
   * Returns what is known about the account, read from the vault at first; null
   * if it is gone.
   */
  async entry(): Promise<VaultEntry | null> {
    this.#entry ??= await this.#ports.vault.get(this.#id);
    return this.#entry;
  }

  /** Whether there is a successor that the disk has refused. */
  get isUnsaved(): boolean {
    return this.#unsaved !== null;
  }

  /**
   * Forgets earlier refusals, because a request with this credential was
   * served.
   */
  served(): void {
    this.#pause.forgetRefusals();
  }

  /**
   * Makes the next use read the vault again. A successor that is not saved is
   * kept.
   */
  forget(): void {
    if (this.#unsaved !== null || this.#flight !== null) return;
    this.#entry = null;
    this.#pause.clear();
  }

  /**
   * Returns a credential other than `refused` that is not near its end; with
   * null, any such. All callers at the same time share one renewal.
   */
  async renew(refused: Secret | null): Promise<Renewal> {
    while (this.#flight !== null) {
      const renewal = await this.#flight;
      // The shared renewal may have produced the very token that was refused
      // since.
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

  /**
   * Gives the owner of a shared login what it lacks, repeatedly until it has
   * it: a process may have died after it renewed, or the owner's store could
   * not be written. Resolves after the first attempt.
   */
  async heal(): Promise<void> {
    if (await this.#isHealed()) return;
    this.#healing ??= this.#keepHealing().finally(() => this.#healing = null);
  }

  /**
   * Waits for what is under way, and tries a last time to save what is not
   * saved.
   */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#healing;
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
    const { vault, owners, clock } = this.#ports;
    // Under the lock the vault counts, not what this process remembers.
    const entry = this.#unsaved?.entry ??
      await vault.update(this.#id, (stored) => stored);
    this.#entry = entry;
    if (entry === null) return { kind: "gone" };
    if (isGood(entry, refused, clock.now())) return this.#usable(entry);
    if (!isOAuth(entry)) {
      return { kind: "needs_login", reason: "the provider refuses the key" };
    }
    if (entry.sharedWith === null || owners === null) {
      return await this.#spend(entry, refused, null);
    }
    let hold: OwnerHold | null;
    try {
      hold = await owners.hold(entry.sharedWith);
    } catch (error) {
      if (!(error instanceof TcError)) throw error;
      return this.#leaveToOwner(entry, refused, error.message);
    }
    if (hold === null) return await this.#spend(entry, refused, null);
    try {
      return await this.#renewShared(entry, refused, hold);
    } finally {
      await hold.release();
    }
  }

  /** Renews a login that another program holds, under that program's lock. */
  async #renewShared(
    entry: OAuthEntry,
    refused: Secret | null,
    hold: OwnerHold,
  ): Promise<Renewal> {
    const standing = await standingOf(entry, hold, this.#ports);
    switch (standing.kind) {
      case "unclear":
        return this.#leaveToOwner(entry, refused, standing.reason);
      case "elsewhere":
        return await this.#spend(entry, refused, null);
      case "behind":
        await this.#handBack(entry, standing.theirs, hold);
        return await this.#renewHeld(entry, refused, hold);
      case "same":
      case "ahead": {
        const { theirs } = standing;
        const isNews = standing.kind === "ahead" ||
          !theirs.accessToken.equals(entry.credential.accessToken) &&
            theirs.expiresAt > entry.credential.expiresAt;
        // The token's age is unknown, so `savedAt` stays.
        if (isNews) await this.#save(entry, movedOn(entry, theirs));
        const now = this.#entry;
        if (now === null) return { kind: "gone" };
        return isOAuth(now)
          ? await this.#renewHeld(now, refused, hold)
          : this.#usable(now);
      }
    }
  }

  /** Like {@linkcode #spend}, for a login whose owner shows the same token. */
  async #renewHeld(
    entry: OAuthEntry,
    refused: Secret | null,
    hold: OwnerHold,
  ): Promise<Renewal> {
    const now = this.#ports.clock.now();
    if (isGood(entry, refused, now)) return this.#usable(entry);
    // If its owner is running, it renews the login ahead of its end.
    if (refused === null && !hasEnded(entry, now)) return this.#usable(entry);
    const obstacle = await hold.obstacle();
    return obstacle === null
      ? await this.#spend(entry, refused, hold)
      : this.#leaveToOwner(entry, refused, obstacle);
  }

  /** A login that only its owner may renew serves until its token ends. */
  #leaveToOwner(
    entry: OAuthEntry,
    refused: Secret | null,
    reason: string,
  ): Renewal {
    if (refused === null && !hasEnded(entry, this.#ports.clock.now())) {
      return this.#usable(entry);
    }
    const owner = entry.sharedWith?.tool === "claude_code"
      ? "Claude Code"
      : entry.sharedWith?.tool ?? "its owner";
    return this.#told(
      this.#pause.afterFault(`only ${owner} can renew it now: ${reason}`),
    );
  }

  /**
   * Spends the refresh token. `hold` belongs to the owner that shows it; null
   * without one.
   */
  async #spend(
    entry: OAuthEntry,
    refused: Secret | null,
    hold: OwnerHold | null,
  ): Promise<Renewal> {
    const { clock, client, provider, vault } = this.#ports;
    const why = whyNotSpent(entry, refused, clock.now());
    if (why?.kind === "dead") {
      return { kind: "needs_login", reason: why.reason };
    }
    if (why !== null) {
      return this.#told(this.#pause.afterFreshRefusal(why.reason));
    }
    const { refreshToken } = entry.credential;
    const spent = await spendRefreshToken(entry.credential, {
      provider,
      client,
      clock,
      // An abort half-way could lose the successor, so only time limits end it.
      signal: new AbortController().signal,
      async isSuperseded() {
        const theirs = await hold?.read();
        const isTheirs = theirs?.kind === "login" &&
          !theirs.credential.refreshToken.equals(refreshToken);
        const stored = await vault.get(entry.id);
        return isTheirs || stored === null || !isOAuth(stored) ||
          !stored.credential.refreshToken.equals(refreshToken);
      },
    });
    await this.#ports.onAnswer?.(entry.id);
    switch (spent.kind) {
      case "tokens":
        return await this.#afterSpending(entry, spent.credential, hold);
      case "superseded":
        return await this.#reread(refused);
      case "dead":
        return await this.#bury(entry);
      case "failed":
        return this.#told(
          this.#pause.afterRefusal(spent.reason, spent.retryAfterMs),
        );
    }
  }

  async #afterSpending(
    before: OAuthEntry,
    credential: OAuthCredential,
    hold: OwnerHold | null,
  ): Promise<Renewal> {
    const { clock, journal } = this.#ports;
    const next = { ...movedOn(before, credential), savedAt: clock.now() };
    // The successor goes to the vault, then to its owner, and only then is it
    // used.
    await this.#save(before, next);
    journal.log("info", "token_renewed", {
      account: before.id,
      label: before.label,
      expires_at: credential.expiresAt,
    });
    if (hold !== null) await this.#handBack(next, before.credential, hold);
    return this.#entry === null ? { kind: "gone" } : this.#usable(this.#entry);
  }

  /**
   * Puts `entry` on disk before anyone gets it, or keeps trying until it is
   * there.
   */
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
      // A renewal under way releases the lock itself.
      if (this.#flight === null) this.#release();
    });
  }

  async #reread(refused: Secret | null): Promise<Renewal> {
    const { vault, clock } = this.#ports;
    this.#entry = await vault.get(this.#id);
    if (this.#entry === null) return { kind: "gone" };
    return isGood(this.#entry, refused, clock.now())
      ? this.#usable(this.#entry)
      : this.#told(this.#pause.afterFault("somebody else is renewing it"));
  }

  /** Remembers the dead token by its hash, so that it is never sent again. */
  async #bury(entry: OAuthEntry): Promise<Renewal> {
    const refusedTokenHash = entry.credential.refreshToken.hash();
    const reason = deadReason(entry, this.#ports.clock.now());
    this.#ports.journal.log("error", "token_refused", {
      account: entry.id,
      label: entry.label,
      reason,
    });
    await this.#save(entry, { ...entry, refusedTokenHash });
    return { kind: "needs_login", reason };
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

  /**
   * Gives the owner our login in place of `theirs`. A failure is tried again
   * later.
   */
  async #handBack(
    ours: OAuthEntry,
    theirs: OAuthCredential,
    hold: OwnerHold,
  ): Promise<void> {
    if (ours.credential.refreshToken.equals(theirs.refreshToken)) return;
    try {
      await hold.handBack?.(theirs.refreshToken, ours.credential);
    } catch (error) {
      if (!(error instanceof TcError)) throw error;
      this.#ports.journal.log("error", "token_not_handed_back", {
        account: ours.id,
        label: ours.label,
        owner: ours.sharedWith?.tool ?? null,
        place: ours.sharedWith?.location ?? null,
        reason: error.message,
      });
      this.#healing ??= this.#keepHealing().finally(() => this.#healing = null);
    }
  }

  async #keepHealing(): Promise<void> {
    const { clock } = this.#ports;
    for (let pauseMs = HEAL_PAUSE_MIN_MS;;) {
      try {
        await clock.sleep(pauseMs, this.#stop.signal);
      } catch {
        // Stopped. The next process that reads the vault goes on.
        return;
      }
      if (await this.#isHealed()) return;
      pauseMs = Math.min(pauseMs * 2, HEAL_PAUSE_MAX_MS);
    }
  }

  /** Returns whether the owner has what the vault has, or needs nothing. */
  async #isHealed(): Promise<boolean> {
    const { vault, owners, locks } = this.#ports;
    const seen = await vault.get(this.#id).catch(() => null);
    if (owners === null || seen === null || seen.sharedWith === null) {
      return true;
    }
    // A renewal looks at its owner by itself, and holds the lock.
    if (this.#flight !== null || this.#lock !== null) return false;
    try {
      using _lock = await locks.acquire(this.#id, { waitMs: LOCK_WAIT_MS });
      const hold = await owners.hold(seen.sharedWith);
      try {
        const entry = await vault.get(this.#id);
        const theirs = await hold?.read();
        if (entry === null || !isOAuth(entry)) return true;
        if (hold === null || theirs?.kind !== "login") return true;
        const { refreshToken } = theirs.credential;
        if (kinship(entry, refreshToken) !== "older") return true;
        return await hold.handBack?.(refreshToken, entry.credential) ?? true;
      } finally {
        await hold?.release();
      }
    } catch (error) {
      if (!(error instanceof TcError)) throw error;
      return false;
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

/**
 * A successor token on its way to disk. If the disk refuses it, it stays in
 * memory and is tried again until it is saved.
 *
 * @module
 */

import { MINUTE_MS, SECOND_MS } from "../core/time.ts";
import { TcError } from "../errors.ts";
import type {
  Clock,
  Journal,
  RefreshToken,
  Vault,
  VaultEntry,
} from "../ports.ts";
import { isOAuth, type OAuthEntry } from "./provider.ts";

const PAUSE_MIN_MS = SECOND_MS;
const PAUSE_MAX_MS = MINUTE_MS;

interface LateSavePorts {
  readonly vault: Vault;
  readonly clock: Clock;
  readonly journal: Journal;
}

type SaveOutcome =
  /**
   * What the vault holds now: our entry, or a login that was faster; null if
   * gone.
   */
  | { readonly kind: "saved"; readonly entry: VaultEntry | null }
  | { readonly kind: "unsaved" };

export class LateSave {
  readonly #ports: LateSavePorts;
  readonly #stop = new AbortController();
  /** The tokens that our entry may replace: its predecessors. */
  readonly #replaces: RefreshToken[];
  #entry: OAuthEntry;
  #retrying: Promise<void> | null = null;

  /** `entry` replaces what the vault holds if that is `predecessor`. */
  constructor(
    predecessor: RefreshToken,
    entry: OAuthEntry,
    ports: LateSavePorts,
  ) {
    this.#replaces = [predecessor];
    this.#entry = entry;
    this.#ports = ports;
  }

  /** The newest successor. */
  get entry(): OAuthEntry {
    return this.#entry;
  }

  /** Adds the successor of the successor while neither is on disk. */
  replace(entry: OAuthEntry): void {
    this.#replaces.push(this.#entry.credential.refreshToken);
    this.#entry = entry;
  }

  /**
   * Tries once. If the disk refuses, it reports the error and does not throw.
   */
  async save(): Promise<SaveOutcome> {
    const { vault, journal } = this.#ports;
    const ours = this.#entry;
    try {
      const entry = await vault.update(ours.id, (stored) => {
        if (!this.#isPredecessor(stored)) return stored;
        const { credential, savedAt, ancestors, refusedTokenHash } = ours;
        return {
          ...stored,
          credential,
          savedAt,
          ancestors,
          refusedTokenHash,
        };
      });
      // A newer successor may have arrived while this one was written.
      return this.#entry === ours
        ? { kind: "saved", entry }
        : { kind: "unsaved" };
    } catch (error) {
      journal.log("error", "token_not_saved", {
        account: ours.id,
        label: ours.label,
        reason: error instanceof TcError ? error.message : "unknown reason",
      });
      return { kind: "unsaved" };
    }
  }

  /** Tries until it is saved, then reports what the vault holds. */
  retry(onSaved: (entry: VaultEntry | null) => void): void {
    this.#retrying = this.#keepTrying(onSaved);
  }

  /** Stops after a last try. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#retrying;
    const outcome = await this.save();
    if (outcome.kind === "saved") return;
    const { id, label } = this.#entry;
    this.#ports.journal.log("error", "token_lost", { account: id, label });
  }

  async #keepTrying(
    onSaved: (entry: VaultEntry | null) => void,
  ): Promise<void> {
    const { clock, journal } = this.#ports;
    for (let pauseMs = PAUSE_MIN_MS;;) {
      try {
        await clock.sleep(pauseMs, this.#stop.signal);
      } catch {
        // Stopped: close() tries a last time.
        return;
      }
      const outcome = await this.save();
      if (outcome.kind === "saved") {
        journal.log("warn", "token_saved_late", { account: this.#entry.id });
        onSaved(outcome.entry);
        return;
      }
      pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    }
  }

  #isPredecessor(stored: VaultEntry): boolean {
    return isOAuth(stored) &&
      this.#replaces.some((token) =>
        token.equals(stored.credential.refreshToken)
      );
  }
}

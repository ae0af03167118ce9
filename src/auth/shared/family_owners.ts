/**
 * The stores of other programs that hold a login of the vault as well. A
 * refresh token is spent by its first use, so each holder must know of a
 * renewal before it renews itself.
 *
 * @module
 */

import type {
  AccountIdentity,
  OAuthCredential,
  RefreshToken,
  SharedFamily,
} from "../../ports.ts";

/** What an owner's store held at one moment. */
export type OwnerReading =
  | {
    readonly kind: "login";
    readonly credential: OAuthCredential;
    /** Whose it is by the store's own note, or null. */
    readonly identity: AccountIdentity | null;
  }
  /** No login: there is no store, or a log-out emptied it. */
  | { readonly kind: "none" }
  /** Content that cannot be read; `reason` is a whole clause. */
  | { readonly kind: "unreadable"; readonly reason: string };

/** The owner's store while its own renewals wait for us. */
export interface OwnerHold {
  read(): Promise<OwnerReading>;
  /** Returns why a successor could not be written there now, or null. */
  obstacle(): Promise<string | null>;
  /**
   * Gives the owner `next` if it still shows `spent`, and returns false if it
   * shows something else by now. Throws TcError if the store cannot be written.
   * Null for programs whose stores are never written.
   */
  readonly handBack:
    | ((spent: RefreshToken, next: OAuthCredential) => Promise<boolean>)
    | null;
  release(): Promise<void>;
}

export interface FamilyOwners {
  /**
   * Takes the owner's own lock. Throws TcError if it is not available; then
   * nothing may be spent. Returns null if no program keeps that store any more.
   */
  hold(family: SharedFamily): Promise<OwnerHold | null>;
}

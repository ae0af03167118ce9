/**
 * The stores of other programs that hold a login of the vault as well. A
 * refresh token is spent by its first use, so each holder has to hear of every
 * renewal before the other renews.
 *
 * @module
 */

import type {
  AccountIdentity,
  OAuthCredential,
  RefreshToken,
  SharedFamily,
} from "../../ports.ts";

/** What an owner's store holds at one moment. */
export type OwnerReading =
  | {
    readonly kind: "login";
    readonly credential: OAuthCredential;
    /** Whose it is by the store's own word, or null. */
    readonly identity: AccountIdentity | null;
  }
  /** No login: there is no store, or it was emptied by a log-out. */
  | { readonly kind: "none" }
  /** Something that cannot be read; `reason` is a whole clause. */
  | { readonly kind: "unreadable"; readonly reason: string };

/** The owner's store while its own renewals wait for us. */
export interface OwnerHold {
  read(): Promise<OwnerReading>;
  /** Returns why a successor could not be written there now, or null. */
  obstacle(): Promise<string | null>;
  /**
   * Gives the owner `next` if it still shows `spent`; false where it shows
   * something else by now. Throws TcError where the store cannot be written.
   * Null where the programs' stores are never written.
   */
  readonly handBack:
    | ((spent: RefreshToken, next: OAuthCredential) => Promise<boolean>)
    | null;
  release(): Promise<void>;
}

export interface FamilyOwners {
  /**
   * Takes the owner's own lock. Throws TcError where it cannot be had: nothing
   * may be spent then. Null where nobody keeps that store any more.
   */
  hold(family: SharedFamily): Promise<OwnerHold | null>;
}

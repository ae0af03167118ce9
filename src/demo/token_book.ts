/**
 * The demo's OAuth tokens: families of an access token and a refresh token. A
 * refresh token is spent by its first use; shown again, it kills its whole
 * family.
 *
 * @module
 */

import type { Instant } from "../core/time.ts";
import type { Dice } from "./dice.ts";

export interface OAuthTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAt: Instant;
  /** After this nothing renews the login: a person has to sign in again. */
  readonly signInEndsAt: Instant;
  readonly scopes: readonly string[];
}

/** The result of a refresh. `reused` has just killed the family. */
type RotationResult =
  | {
    readonly kind: "rotated";
    readonly account: string;
    readonly tokens: OAuthTokens;
  }
  | { readonly kind: "reused"; readonly account: string }
  | { readonly kind: "dead"; readonly account: string }
  /** The sign-in has ended: its time was up. */
  | { readonly kind: "ended"; readonly account: string }
  | { readonly kind: "unknown" };

interface RotationWish {
  readonly expiresAt: Instant;
  readonly now: Instant;
  /** The sign-in's new end; null keeps the end set by the login. */
  readonly signInEndsAt: Instant | null;
  readonly keepsRefresh: boolean;
}

export type AccessState = "live" | "expired" | "superseded" | "revoked";

interface AccessFound {
  readonly account: string;
  readonly scopes: readonly string[];
  readonly state: AccessState;
}

/** How often families were refreshed and lost. */
export interface FamilyCounts {
  readonly minted: number;
  readonly rotations: number;
  /** Spent refresh tokens that came again; each killed a family. */
  readonly reuses: number;
  /** Families dead by reuse or revocation. */
  readonly killed: number;
}

interface Family {
  readonly account: string;
  isKilled: boolean;
  tokens: OAuthTokens;
}

export class TokenBook {
  readonly #dice: Dice;
  readonly #families: Family[] = [];
  readonly #byAccess = new Map<string, Family>();
  readonly #byRefresh = new Map<string, Family>();
  #rotations = 0;
  #reuses = 0;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** Makes a login: a new family for `account`. */
  mint(
    account: string,
    scopes: readonly string[],
    ends: Pick<OAuthTokens, "expiresAt" | "signInEndsAt">,
  ): OAuthTokens {
    const tokens = this.#fresh(account, scopes, ends);
    const family: Family = { account, isKilled: false, tokens };
    this.#families.push(family);
    this.#index(family);
    return tokens;
  }

  /** Returns the newest living tokens of `account`, or null. */
  newest(account: string): OAuthTokens | null {
    const family = this.#families.findLast((family) =>
      family.account === account && !family.isKilled
    );
    return family?.tokens ?? null;
  }

  /** Spends `refreshToken` for its successor, or for itself if it is kept. */
  rotate(refreshToken: string, wish: RotationWish): RotationResult {
    const family = this.#byRefresh.get(refreshToken);
    if (family === undefined) return { kind: "unknown" };
    const { account } = family;
    if (family.isKilled) return { kind: "dead", account };
    if (family.tokens.signInEndsAt <= wish.now) {
      return { kind: "ended", account };
    }
    if (family.tokens.refreshToken !== refreshToken) {
      this.#reuses += 1;
      family.isKilled = true;
      return { kind: "reused", account };
    }
    this.#rotations += 1;
    const fresh = this.#fresh(account, family.tokens.scopes, {
      expiresAt: wish.expiresAt,
      signInEndsAt: wish.signInEndsAt ?? family.tokens.signInEndsAt,
    });
    family.tokens = wish.keepsRefresh ? { ...fresh, refreshToken } : fresh;
    this.#index(family);
    return { kind: "rotated", account, tokens: family.tokens };
  }

  /**
   * Returns the owner of `accessToken` and whether it is still valid; null if
   * unknown.
   */
  find(accessToken: string, now: Instant): AccessFound | null {
    const family = this.#byAccess.get(accessToken);
    if (family === undefined) return null;
    const { account, tokens } = family;
    return {
      account,
      scopes: tokens.scopes,
      state: stateOf(family, accessToken, now),
    };
  }

  /** Returns whose refresh token this is or was, or null. */
  ownerOf(refreshToken: string): string | null {
    return this.#byRefresh.get(refreshToken)?.account ?? null;
  }

  /** Makes the access tokens of `account` expire at `at`. */
  expire(account: string, at: Instant): void {
    for (const family of this.#families) {
      if (family.account !== account) continue;
      family.tokens = { ...family.tokens, expiresAt: at };
    }
  }

  /** Makes the sign-ins of `account` end at `at`. */
  endSignIns(account: string, at: Instant): void {
    for (const family of this.#families) {
      if (family.account !== account) continue;
      family.tokens = { ...family.tokens, signInEndsAt: at };
    }
  }

  /**
   * Kills the one family of `token`, as a log-out does, and returns its owner,
   * or null.
   */
  revokeToken(token: string): string | null {
    const family = this.#byRefresh.get(token) ?? this.#byAccess.get(token);
    if (family === undefined) return null;
    family.isKilled = true;
    return family.account;
  }

  /** Returns whether `refreshToken` is the newest of a living family. */
  isCurrent(refreshToken: string): boolean {
    const family = this.#byRefresh.get(refreshToken);
    return family !== undefined && !family.isKilled &&
      family.tokens.refreshToken === refreshToken;
  }

  /** Kills all families of `account`, as signing out everywhere does. */
  revoke(account: string): void {
    for (const family of this.#families) {
      if (family.account === account) family.isKilled = true;
    }
  }

  counts(): FamilyCounts {
    return {
      minted: this.#families.length,
      rotations: this.#rotations,
      reuses: this.#reuses,
      killed: this.#families.filter((family) => family.isKilled).length,
    };
  }

  #fresh(
    account: string,
    scopes: readonly string[],
    ends: Pick<OAuthTokens, "expiresAt" | "signInEndsAt">,
  ): OAuthTokens {
    return {
      accessToken: `sk-ant-oat01-FAKE-${account}-${this.#dice.hex(24)}`,
      refreshToken: `sk-ant-ort01-FAKE-${account}-${this.#dice.hex(24)}`,
      ...ends,
      scopes,
    };
  }

  #index(family: Family): void {
    this.#byAccess.set(family.tokens.accessToken, family);
    this.#byRefresh.set(family.tokens.refreshToken, family);
  }
}

function stateOf(
  family: Family,
  accessToken: string,
  now: Instant,
): AccessState {
  if (family.isKilled) return "revoked";
  // A refresh ends the previous token, whatever its own lifetime.
  if (family.tokens.accessToken !== accessToken) return "superseded";
  return family.tokens.expiresAt <= now ? "expired" : "live";
}

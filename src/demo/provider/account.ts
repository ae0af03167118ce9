/**
 * One account of the fake provider: identity, credential, true quota, true
 * cache, and what it refuses.
 *
 * @module
 */

import type { AccountKind, ModelFamily, Tier } from "../../core/account.ts";
import type { WindowKey } from "../../core/quota/quota.ts";
import { DAY_MS, HOUR_MS, type Instant } from "../../core/time.ts";
import type { Dice } from "../dice.ts";
import {
  type DemoIdentity,
  identityFor,
  type IdentityWish,
} from "../identity.ts";
import { type KeyLimits, KeyQuota } from "../quota/key_quota.ts";
import { PLANS, windowPlans } from "../quota/plans.ts";
import { PromptCache } from "../quota/prompt_cache.ts";
import { RateGate, type RateLimits } from "../quota/rate_gate.ts";
import type { RefusalName } from "./refusal.ts";
import type { OAuthTokens, TokenBook } from "../token_book.ts";
import { TrueQuota, utilization } from "../quota/true_quota.ts";
import type { WarpClock } from "../warp_clock.ts";

export interface AccountOptions extends IdentityWish {
  readonly kind?: Exclude<AccountKind, "backend">;
  readonly tier?: Tier;
}

/** What a demo account is made with besides its options. */
interface AccountWorld {
  readonly clock: WarpClock;
  readonly dice: Dice;
  readonly tokens: TokenBook;
}

const SUBSCRIPTION_SCOPES: readonly string[] = [
  "user:inference",
  "user:profile",
  "user:sessions:claude_code",
];
const SETUP_SCOPES: readonly string[] = ["user:inference"];

/** As the provider's: eight hours, or about a year for a setup token. */
export const ACCESS_TOKEN_MS = 8 * HOUR_MS;
const SETUP_TOKEN_MS = 365 * DAY_MS;
/**
 * A sign-in ends this long after the login, however often it is renewed (facts,
 * 10.2).
 */
export const SIGN_IN_MS = 30 * DAY_MS;

/** API keys of the first usage tier. */
const KEY_LIMITS: KeyLimits = {
  requestsPerMinute: 50,
  inputTokensPerMinute: 500_000,
  outputTokensPerMinute: 80_000,
};

export class DemoAccount {
  readonly name: string;
  readonly kind: Exclude<AccountKind, "backend">;
  readonly tier: Tier;
  readonly identity: DemoIdentity;
  readonly cache = new PromptCache();
  readonly gate: RateGate;
  readonly quota: TrueQuota;
  /** Null except for API keys. */
  readonly keyQuota: KeyQuota | null;
  readonly apiKey: string;
  readonly #world: AccountWorld;
  #refusal: RefusalName | null = null;

  constructor(name: string, options: AccountOptions, world: AccountWorld) {
    this.name = name;
    this.kind = options.kind ?? "subscription";
    this.tier = options.tier ?? "max_5x";
    this.identity = identityFor(name, options, world.dice);
    this.#world = world;
    const plan = PLANS[this.tier];
    const now = world.clock.now();
    this.gate = new RateGate(plan);
    this.quota = new TrueQuota(windowPlans(plan), now);
    this.keyQuota = this.kind === "api_key"
      ? new KeyQuota(KEY_LIMITS, now)
      : null;
    this.apiKey = `sk-ant-api03-FAKE-${name}-${
      world.dice.fork(`key ${name}`).hex(24)
    }`;
  }

  /** Sets true utilizations, such as `{ "5h": 0.42, "7d": 0.61 }`. */
  windows(values: Readonly<Record<WindowKey, number>>): this {
    this.quota.set(values, this.#now());
    return this;
  }

  /** Makes a window reset `ms` from now. */
  resetIn(key: WindowKey, ms: number): this {
    this.quota.resetIn(key, ms, this.#now());
    return this;
  }

  /** Takes quota units, as requests of another machine do. */
  spend(units: number, family: ModelFamily = "sonnet"): this {
    this.quota.open(family, this.#now());
    this.quota.charge(units, family, this.#now());
    return this;
  }

  /** Changes the limits on requests in flight and per minute. */
  limits(limits: Partial<RateLimits>): this {
    this.gate.limits = { ...this.gate.limits, ...limits };
    return this;
  }

  /** Changes the per-minute limits of an API key. */
  keyLimits(limits: Partial<KeyLimits>): this {
    this.keyQuota?.change(limits, this.#now());
    return this;
  }

  /** Returns the true utilization of each window. */
  utilization(): Readonly<Record<WindowKey, number>> {
    return Object.fromEntries(
      this.quota.windows(this.#now()).map((
        window,
      ) => [window.key, utilization(window)]),
    );
  }

  /**
   * Returns the newest tokens of a subscription, after a login if there are
   * none. Throws for the other kinds, which have no refresh token.
   */
  tokens(): OAuthTokens {
    return (this.kind === "subscription" ? this.#newestTokens() : null) ??
      this.login();
  }

  /** Makes a new login: its own token family beside the others. */
  login(): OAuthTokens {
    if (this.kind !== "subscription") {
      throw new TypeError(
        `Cannot log in to the demo account ${this.name}: it is of kind ${this.kind}`,
      );
    }
    return this.#mint(SUBSCRIPTION_SCOPES, ACCESS_TOKEN_MS);
  }

  /**
   * Returns what a client shows now: the API key, setup token or newest access
   * token.
   */
  token(): string {
    switch (this.kind) {
      case "api_key":
        return this.apiKey;
      case "subscription":
        return this.tokens().accessToken;
      case "setup_token": {
        const known = this.#newestTokens();
        return (known ?? this.#mint(SETUP_SCOPES, SETUP_TOKEN_MS)).accessToken;
      }
    }
  }

  /** Makes all access tokens expire now; the refresh tokens live on. */
  expire(): this {
    this.#world.tokens.expire(this.name, this.#now());
    return this;
  }

  /** Makes the sign-ins end `ms` from now, whatever is renewed. */
  endSignInIn(ms: number): this {
    const { clock, tokens } = this.#world;
    tokens.endSignIns(this.name, clock.inMs(ms));
    return this;
  }

  /** Signs out everywhere, which kills every token. */
  revoke(): this {
    this.#world.tokens.revoke(this.name);
    return this;
  }

  /** Refuses every request in this way until {@linkcode serve}. */
  refuse(refusal: RefusalName): this {
    this.#refusal = refusal;
    return this;
  }

  /** Ends {@linkcode refuse}. */
  serve(): this {
    this.#refusal = null;
    return this;
  }

  get refusal(): RefusalName | null {
    return this.#refusal;
  }

  #newestTokens(): OAuthTokens | null {
    return this.kind === "api_key"
      ? null
      : this.#world.tokens.newest(this.name);
  }

  #mint(scopes: readonly string[], lifetimeMs: number): OAuthTokens {
    const { clock, tokens } = this.#world;
    return tokens.mint(this.name, scopes, {
      expiresAt: clock.inMs(lifetimeMs),
      signInEndsAt: clock.inMs(SIGN_IN_MS),
    });
  }

  #now(): Instant {
    return this.#world.clock.now();
  }
}

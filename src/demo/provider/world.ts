/**
 * The whole state of the fake provider, which its handlers share.
 *
 * @module
 */

import type { Instant } from "../../core/time.ts";
import {
  ACCESS_TOKEN_MS,
  type AccountOptions,
  DemoAccount,
  SIGN_IN_MS,
} from "./account.ts";
import { Dice } from "../dice.ts";
import type { Encoding } from "../answer/encoding.ts";
import { type FaultOptions, Faults } from "./faults.ts";
import { RecordBook } from "./records.ts";
import type { ProviderScript } from "./scripted.ts";
import { TokenBook } from "../token_book.ts";
import { UNIT_WEIGHTS, type UnitWeights } from "../quota/true_quota.ts";
import { WarpClock } from "../warp_clock.ts";

/** What may be changed while it runs. */
export interface DemoSettings {
  /** Speed of streams; null is as fast as the client reads. */
  readonly tokensPerSecond: number | null;
  readonly weights: UnitWeights;
  /** Decimals of the utilization in headers; the provider rounds to 2. */
  readonly utilizationDecimals: number;
  /** Compressions in order of preference, for clients that accept them. */
  readonly encodings: readonly Encoding[];
  /** A compression used even if the client did not ask for it, or null. */
  readonly forcedEncoding: Encoding | null;
  /** The format in which `GET /api/oauth/usage` answers. */
  readonly usageShape: "both" | "old" | "new";
  /** The usage endpoint's own limit per account; null means none. */
  readonly usagePerMinute: number | null;
  /** Whether the sign-in page sends the browser on without a click. */
  readonly signsInAtOnce: boolean;
  readonly accessTokenMs: number;
  /** How long the token endpoint takes before it rotates and answers. */
  readonly renewalMs: number;
  /** How long after its login a sign-in ends. */
  readonly signInMs: number;
  /**
   * Whether a renewal states when the sign-in ends: not at all, the end that
   * the login had, or a later end set by the renewal.
   */
  readonly renewalSaysEnd: "never" | "left" | "moved";
  /** Larger bodies are refused with 413. */
  readonly bodyBytesMax: number;
}

export interface WorldOptions extends Partial<DemoSettings> {
  readonly seed?: string | number;
  readonly clock?: WarpClock;
  /** At least this many of the last requests are remembered. */
  readonly requestsMax?: number;
  readonly script?: ProviderScript;
}

const DEFAULTS: DemoSettings = {
  tokensPerSecond: null,
  weights: UNIT_WEIGHTS,
  utilizationDecimals: 2,
  encodings: [],
  forcedEncoding: null,
  usageShape: "both",
  usagePerMinute: 10,
  signsInAtOnce: false,
  accessTokenMs: ACCESS_TOKEN_MS,
  renewalMs: 0,
  signInMs: SIGN_IN_MS,
  renewalSaysEnd: "never",
  bodyBytesMax: 32 * 1024 * 1024,
};

const REQUESTS_MAX = 20_000;

export class World {
  readonly clock: WarpClock;
  readonly seed: string;
  readonly dice: Dice;
  readonly tokens: TokenBook;
  readonly records: RecordBook;
  /** What a test wants answered; null in the product. */
  readonly script: ProviderScript | null;
  readonly accounts = new Map<string, DemoAccount>();
  /** Codes of the sign-in page that were not exchanged yet. */
  readonly codes = new Map<string, GrantedCode>();
  /** When each account asked for its usage within the last minute. */
  readonly usageCalls = new Map<string, readonly Instant[]>();
  /**
   * Faults of the demo itself, because a bug must not look like a scripted
   * answer.
   */
  readonly crashes: unknown[] = [];
  /**
   * Controllers of the answers that still run, aborted when the server stops.
   */
  readonly openAnswers = new Set<AbortController>();
  settings: DemoSettings;
  faults: Faults | null = null;
  /** Whom the browser is signed in as; null lets the page offer a choice. */
  browserAccount: string | null = null;

  constructor(options: WorldOptions) {
    const { seed, clock, requestsMax, script, ...settings } = options;
    this.script = script ?? null;
    this.clock = clock ?? new WarpClock();
    this.seed = String(seed ?? 1);
    this.dice = new Dice(this.seed);
    this.tokens = new TokenBook(this.dice.fork("tokens"));
    this.records = new RecordBook(requestsMax ?? REQUESTS_MAX);
    this.settings = { ...DEFAULTS, ...settings };
  }

  /** The account `name`; made on first use. */
  account(name: string, options: AccountOptions = {}): DemoAccount {
    const known = this.accounts.get(name);
    if (known !== undefined) return known;
    const account = new DemoAccount(name, options, this);
    this.accounts.set(name, account);
    return account;
  }

  setFaults(options: FaultOptions | null): void {
    this.faults = options === null ? null : new Faults(options);
  }

  /** Returns a request id in the provider's format. */
  requestId(): string {
    return `req_011C${this.dice.hex(20)}`;
  }
}

/** What a person granted on the sign-in page; the code is exchanged once. */
interface GrantedCode {
  /** Name of the chosen account. */
  readonly account: string;
  /** The S256 challenge that the verifier must match. */
  readonly challenge: string;
  readonly redirectUri: string;
  readonly state: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Instant;
}

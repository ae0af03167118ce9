/**
 * `tc swap auto`: gives Claude Code the best login. It uses API keys only when
 * every account is used up, and returns to a login as soon as one has room.
 *
 * @module
 */

import { refuseStranger } from "../auth/shared/hand_out.ts";
import { harvest, type LiveLogin } from "../auth/shared/live_login.ts";
import type { AccountId } from "../core/account.ts";
import {
  after,
  HOUR_MS,
  type Instant,
  MINUTE_MS,
  SECOND_MS,
} from "../core/time.ts";
import type { AccountRecord } from "../store/accounts.ts";
import {
  type Candidate,
  choose,
  isSpent,
  isSpentUntilReset,
  score,
  seenUsage,
  usableAt,
} from "./choose.ts";
import { enterKeyMode, isFallbackKey, reconcile } from "./key_mode.ts";
import { isSwappable, type Polled, pollUsage } from "./poll_usage.ts";
import {
  SWAP_LOCK,
  SWAP_LOCK_WAIT_MS,
  type SwapPorts,
  type SwapState,
} from "./swap_state.ts";
import { useLocked } from "./use_account.ts";

export interface AutoOptions {
  /**
   * Ask only for the account in use, and stay with it below this used part; or
   * null.
   */
  readonly threshold: number | null;
  /** Whether the turn that has just ended was refused for its limit. */
  readonly isAfterLimit: boolean;
  /** Whether a hook, a helper or a timer started this run rather than a person. */
  readonly isUnasked?: boolean;
}

export type AutoResult =
  | { readonly kind: "empty" }
  /** A person has logged Claude Code out, so only a person logs it in again. */
  | { readonly kind: "logged_out" }
  /** Nothing had to change. */
  | {
    readonly kind: "kept";
    readonly label: string | null;
    readonly reason: string;
  }
  | {
    readonly kind: "swapped";
    readonly label: string;
    readonly from: string | null;
    readonly alsoAt: string | null;
  }
  | { readonly kind: "keys"; readonly wakeAt: Instant | null }
  /** Every account is used up and there is no key. */
  | { readonly kind: "spent"; readonly until: Instant | null }
  /** No usage is known, so nothing is changed. */
  | { readonly kind: "unknown"; readonly reasons: readonly string[] };

const WAKE_MARGIN_MS = 30 * SECOND_MS;
const WAKE_MIN_MS = MINUTE_MS;
const WAKE_MAX_MS = 6 * HOUR_MS;
/** One answer serves all sessions that meet a limit within this time. */
const STALE_LIMIT_MS = 30 * SECOND_MS;
/**
 * A limit that no figure shows, such as that of one model, is tried again after
 * this.
 */
const LIMITED_MS = 15 * MINUTE_MS;

/** Swaps once, under the lock of all swaps. Throws TcError. */
export async function autoSwap(
  options: AutoOptions,
  ports: SwapPorts,
): Promise<AutoResult> {
  using _lock = await ports.locks.acquire(SWAP_LOCK, {
    waitMs: SWAP_LOCK_WAIT_MS,
  });
  const records = await ports.accounts();
  const logins = records.filter(isSwappable);
  const keys = records.filter(isFallbackKey);
  if (logins.length + keys.length === 0) return { kind: "empty" };
  const state = await reconcile(ports, keys.length > 0);
  if (logins.length === 0) return await toKeys(state, null, ports);
  const live = await harvest(ports.place, ports);
  if (options.isUnasked && isLoggedOut(live, state)) {
    return { kind: "logged_out" };
  }
  refuseStranger(live, ports.place);
  return await new Run({ options, ports, state, logins, keys, live }).decide();
}

/** Returns whether the login that tc had put there is gone or emptied. */
function isLoggedOut(live: LiveLogin, { account }: SwapState): boolean {
  const { kind } = live.snapshot.reading;
  return account !== null && (kind === "blank" || kind === "absent");
}

interface RunFacts {
  readonly options: AutoOptions;
  readonly ports: SwapPorts;
  readonly state: SwapState;
  readonly logins: readonly AccountRecord[];
  readonly keys: readonly AccountRecord[];
  readonly live: LiveLogin;
}

class Run {
  readonly #facts: RunFacts;
  readonly #current: AccountId | null;

  constructor(facts: RunFacts) {
    this.#facts = facts;
    const { live } = facts;
    this.#current = live.kind === "known" ? live.entry.id : null;
  }

  async decide(): Promise<AutoResult> {
    const { logins, keys, ports, state } = this.#facts;
    const [only] = logins;
    const isAlone = logins.length === 1 && keys.length === 0;
    if (isAlone && only?.account.id === this.#current) {
      return this.#kept("it is the only account");
    }
    const early = await this.#staysBelowThreshold();
    if (early !== null) return early;
    if (state.mode === "apikey" && this.#isSpentForSure()) {
      return await toKeys(state, this.#soonest(state), ports);
    }
    return await this.#afterPolling(await pollUsage(logins, ports));
  }

  async #staysBelowThreshold(): Promise<AutoResult | null> {
    const { options, state, logins, ports } = this.#facts;
    const { threshold } = options;
    const mine = logins.find(({ account }) => account.id === this.#current);
    if (threshold === null || mine === undefined) return null;
    if (state.mode !== "account") return null;
    const [polled] = await pollUsage([mine], ports);
    if (polled?.kind !== "known") {
      return { kind: "unknown", reasons: reasonsOf(polled ? [polled] : []) };
    }
    const used = score(seenUsage(polled.observation)) ?? 0;
    return used < threshold ? this.#kept(`${percent(used)} used`) : null;
  }

  async #afterPolling(polled: readonly Polled[]): Promise<AutoResult> {
    const { ports, state, keys } = this.#facts;
    const known: Candidate[] = polled.flatMap((result) =>
      result.kind === "known"
        ? [{ account: result.record.account, observation: result.observation }]
        : []
    );
    if (known.length === 0) {
      return { kind: "unknown", reasons: reasonsOf(polled) };
    }
    const best = choose(known, {
      settings: ports.settings,
      at: ports.clock.now(),
      current: this.#current,
      limited: await this.#limited(),
    });
    if (best !== null) return await this.#use(best);
    const soonest = this.#soonest(await ports.memory.load());
    if (keys.length > 0) return await toKeys(state, soonest, ports);
    return { kind: "spent", until: soonest };
  }

  async #use(best: AccountId): Promise<AutoResult> {
    const { ports, state } = this.#facts;
    const isThere = best === this.#current && state.mode === "account";
    const { entry, before, isWritten, alsoAt } = await useLocked(best, ports);
    if (isThere && !isWritten) return this.#kept("it is the best one");
    const swappedAt = ports.clock.now();
    await ports.memory.update((now) => ({ ...now, swappedAt }));
    const from = before === null || before.id === best
      ? null
      : this.#labelOf(before.id);
    const label = this.#labelOf(best) ?? entry.label;
    return { kind: "swapped", label, from, alsoAt };
  }

  /**
   * Returns the accounts to pass over, with the account in use if its limit
   * ended the turn.
   */
  async #limited(): Promise<ReadonlySet<AccountId>> {
    const { options, state, ports } = this.#facts;
    const current = this.#current;
    const now = ports.clock.now();
    const { swappedAt } = state;
    const isStale = swappedAt !== null && now - swappedAt < STALE_LIMIT_MS;
    const isNew = options.isAfterLimit && !isStale && current !== null;
    const { limited } = await ports.memory.update((before) => {
      const running = Object.entries(before.limited)
        .filter(([id, until]) => until > now && !(isNew && id === current));
      return {
        ...before,
        limited: Object.fromEntries(
          isNew ? [...running, [current, after(now, LIMITED_MS)]] : running,
        ),
      };
    });
    return new Set(
      this.#facts.logins.map(({ account }) => account.id)
        .filter((id) => limited[id] !== undefined),
    );
  }

  #isSpentForSure(): boolean {
    const { logins, state, ports } = this.#facts;
    const now = ports.clock.now();
    return logins.every(({ account }) => {
      const usage = state.usage[account.id];
      return usage !== undefined && isSpentUntilReset(usage, now);
    });
  }

  #soonest(state: SwapState): Instant | null {
    return soonestReset(state, this.#facts.logins);
  }

  #kept(reason: string): AutoResult {
    const label = this.#current === null ? null : this.#labelOf(this.#current);
    return { kind: "kept", label, reason };
  }

  #labelOf(id: AccountId): string | null {
    const { logins } = this.#facts;
    return logins.find(({ account }) => account.id === id)?.account.label ??
      null;
  }
}

/** Returns when the first of `logins` is usable again, if that is known. */
function soonestReset(
  state: SwapState,
  logins: readonly AccountRecord[],
): Instant | null {
  const resets = logins.flatMap(({ account }) => {
    const usage = state.usage[account.id];
    const at = usage === undefined || !isSpent(usage) ? null : usableAt(usage);
    return at === null ? [] : [at];
  });
  return resets.length === 0 ? null : resets.reduce((a, b) => (a < b ? a : b));
}

/** Switches to keys; `wakeAt` is set if a later run must be started. */
async function toKeys(
  state: SwapState,
  soonest: Instant | null,
  ports: SwapPorts,
): Promise<AutoResult> {
  const now = ports.clock.now();
  if (state.mode !== "apikey") await enterKeyMode(ports);
  const isUnderWay = state.wakeAt !== null && state.wakeAt > now;
  const wakeAt = soonest === null
    ? null
    : after(soonest, WAKE_MARGIN_MS) - now < WAKE_MIN_MS
    ? after(now, WAKE_MIN_MS)
    : after(soonest, WAKE_MARGIN_MS);
  const isWanted = !isUnderWay && wakeAt !== null &&
    wakeAt - now <= WAKE_MAX_MS;
  if (!isWanted) return { kind: "keys", wakeAt: null };
  await ports.memory.update((before) => ({ ...before, wakeAt }));
  return { kind: "keys", wakeAt };
}

function reasonsOf(polled: readonly Polled[]): readonly string[] {
  return polled.flatMap((result) =>
    result.kind === "unknown"
      ? [`${result.record.account.label}: ${result.reason}`]
      : []
  );
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

/** Field names that scripts rely on. */
interface SwapStatus {
  readonly schema: "tc.swap/v1";
  readonly mode: "account" | "apikey";
  /** The account or key in use; empty if unknown. */
  readonly name: string;
  /** In API-key mode: when a login is usable again. */
  readonly resets_at?: string;
  readonly reset_in_seconds?: number;
}

/** Returns what swapping is at, from the files alone: status lines ask often. */
export function swapStatus(
  state: SwapState,
  records: readonly AccountRecord[],
  now: Instant,
): SwapStatus {
  const { mode } = state;
  const id = mode === "account" ? state.account : state.key;
  const name = records.find(({ account }) => account.id === id)?.account.label;
  const soonest = mode === "apikey"
    ? soonestReset(state, records.filter(isSwappable))
    : null;
  return {
    schema: "tc.swap/v1",
    mode,
    name: name ?? "",
    ...(soonest === null ? {} : {
      resets_at: new Date(soonest).toISOString(),
      reset_in_seconds: Math.max(0, Math.ceil((soonest - now) / SECOND_MS)),
    }),
  };
}

/**
 * Polls the free usage endpoint for each subscription: at the start, then one
 * account at a time, each at a jittered interval. Of several machines that share
 * an account one polls.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import type { QuotaObservation } from "../../core/quota/quota.ts";
import {
  HOUR_MS,
  type Instant,
  MINUTE_MS,
  SECOND_MS,
} from "../../core/time.ts";
import type { JsonClient } from "../../auth/json_client.ts";
import {
  type AccountProfile,
  fetchProfile,
  profileQuestion,
} from "../../auth/sign_in/profile.ts";
import type { OAuthProvider } from "../../auth/provider.ts";
import { fetchUsage, type UsageOutcome } from "../../auth/usage.ts";
import { TcError } from "../../errors.ts";
import type {
  Authorization,
  Clock,
  CredentialSource,
  Entropy,
  Journal,
} from "../../ports.ts";
import type { AccountRecord } from "../../store/accounts.ts";
import type { PollTurns } from "../../store/shared/poll_turns.ts";
import { usageObservation } from "../../wire/answer/usage_answer.ts";
import { Rounds } from "./rounds.ts";

interface UsagePollerPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly journal: Journal;
  readonly client: JsonClient;
  readonly provider: OAuthProvider;
  readonly credentials: CredentialSource;
  /** The pool at this moment. */
  readonly accounts: () => readonly AccountRecord[];
  readonly settings: () => {
    readonly poll: boolean;
    readonly pollSeconds: number;
  };
  /** Whose turn it is, where other machines have the account too. */
  readonly turns: PollTurns;
  readonly observed: (observation: QuotaObservation) => void;
  /** Called with the account's owner, which is asked once a run. */
  readonly identified: (id: AccountId, profile: AccountProfile) => void;
}

/** Pause between two polls: bursts trip the endpoint's own limit. */
const SPACING_MS = SECOND_MS;
/** Interval at which new accounts are noticed. */
const LOOK_MS = 5 * SECOND_MS;
/** Part of the interval by which it varies, up or down. */
const JITTER_PART = 0.3;
const THROTTLED_MS = 15 * MINUTE_MS;
const THROTTLED_MAX_MS = 6 * HOUR_MS;
/** Wait after a refusal: a token does not gain the missing scope by itself. */
const REFUSED_MS = 6 * HOUR_MS;

interface Turn {
  /** By the monotonic clock: a wrong wall clock could end all polls. */
  readonly dueAtMs: number;
  readonly throttles: number;
  readonly isIdentified: boolean;
}

export class UsagePoller {
  readonly #ports: UsagePollerPorts;
  readonly #rounds: Rounds;
  readonly #turns = new Map<AccountId, Turn>();

  constructor(ports: UsagePollerPorts) {
    this.#ports = ports;
    const { clock, journal } = ports;
    this.#rounds = new Rounds({
      failure: "usage_poll_failed",
      clock,
      journal,
      round: (signal) => this.#round(signal),
      afterFailureMs: LOOK_MS,
    });
  }

  start(): void {
    this.#rounds.start();
  }

  /** Ends a poll under way. */
  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  async #round(signal: AbortSignal): Promise<number> {
    const record = this.#due();
    if (record === null) return LOOK_MS;
    await this.#ask(record, signal);
    return this.#spacing();
  }

  /** Returns the account that is due the longest, or null. */
  #due(): AccountRecord | null {
    const { accounts, clock, settings } = this.#ports;
    if (!settings().poll) return null;
    const nowMs = clock.monotonicMs();
    const due = accounts().filter((record) =>
      isAsked(record, clock.now()) && this.#dueAtMs(record) <= nowMs
    );
    return due.toSorted((a, b) => this.#dueAtMs(a) - this.#dueAtMs(b))[0] ??
      null;
  }

  #dueAtMs({ account }: AccountRecord): number {
    return this.#turns.get(account.id)?.dueAtMs ?? -Infinity;
  }

  async #ask({ account }: AccountRecord, signal: AbortSignal): Promise<void> {
    const { clock, credentials } = this.#ports;
    const { id } = account;
    if (!await this.#isOurTurn(id)) return;
    const auth = await this.#authorization(id, signal);
    if (auth === null) return;
    const outcome = await fetchUsage(auth.token, this.#ports, signal);
    await this.#take(id, outcome);
    if (outcome.kind === "refused" && outcome.status === 401) {
      // The next poll shows whether that has fixed it.
      await credentials.renew(auth, signal).catch(ignoreTcError);
      return;
    }
    if (outcome.kind !== "known") return;
    if (this.#turns.get(id)?.isIdentified) return;
    await clock.sleep(this.#spacing(), signal);
    await this.#identify(id, auth, signal);
  }

  /** Whatever the outcome, the next poll is a full interval away. */
  async #isOurTurn(id: AccountId): Promise<boolean> {
    const paceMs = this.#pace();
    const throttles = this.#turns.get(id)?.throttles ?? 0;
    this.#wait(id, paceMs, throttles);
    const turn = await this.#ports.turns.take(id, paceMs);
    if (turn.kind === "ours") {
      this.#wait(id, paceMs, turn.throttles ?? throttles);
      return true;
    }
    // The machine that polls may be taken out of the pool meanwhile.
    const waitMs = Math.min(Math.max(turn.waitMs, SECOND_MS), paceMs);
    this.#wait(id, waitMs, 0);
    return false;
  }

  async #authorization(
    id: AccountId,
    signal: AbortSignal,
  ): Promise<Authorization | null> {
    try {
      return await this.#ports.credentials.authorization(id, signal);
    } catch (cause) {
      signal.throwIfAborted();
      ignoreTcError(cause);
      return null;
    }
  }

  async #take(id: AccountId, outcome: UsageOutcome): Promise<void> {
    const { clock, journal, observed, turns } = this.#ports;
    switch (outcome.kind) {
      case "known": {
        const seen = usageObservation(outcome.body, id, clock.now());
        if (seen !== null) observed(seen);
        const isRelief = (this.#turns.get(id)?.throttles ?? 0) > 0;
        const waitMs = this.#pace();
        this.#wait(id, waitMs, 0);
        if (isRelief) await turns.hold(id, waitMs, 0);
        return;
      }
      case "throttled": {
        const throttles = (this.#turns.get(id)?.throttles ?? 0) + 1;
        const growing = THROTTLED_MS * 2 ** (throttles - 1);
        const waitMs = Math.min(
          Math.max(growing, outcome.retryAfterMs ?? 0, this.#pace()),
          THROTTLED_MAX_MS,
        );
        this.#wait(id, waitMs, throttles);
        journal.log("debug", "usage_throttled", { account: id, wait: waitMs });
        await turns.hold(id, waitMs, throttles);
        return;
      }
      case "refused": {
        const waitMs = outcome.status === 403 ? REFUSED_MS : this.#pace();
        this.#wait(id, waitMs, 0);
        if (outcome.status === 403) await turns.hold(id, waitMs, 0);
        return;
      }
      case "unavailable":
        journal.log("debug", "usage_unavailable", { account: id });
        return;
    }
  }

  async #identify(
    id: AccountId,
    { token }: Authorization,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, provider, identified } = this.#ports;
    const question = profileQuestion(provider, token);
    const outcome = await fetchProfile(client, question, signal);
    const turn = this.#turns.get(id);
    if (turn === undefined || outcome.kind === "unavailable") return;
    this.#turns.set(id, { ...turn, isIdentified: true });
    if (outcome.kind === "known") identified(id, outcome.profile);
  }

  #wait(id: AccountId, ms: number, throttles: number): void {
    const isIdentified = this.#turns.get(id)?.isIdentified ?? false;
    const dueAtMs = this.#ports.clock.monotonicMs() + ms;
    this.#turns.set(id, { dueAtMs, throttles, isIdentified });
  }

  /**
   * Returns the time to the next poll of an account, jittered so that polls
   * drift apart.
   */
  #pace(): number {
    const { settings, entropy } = this.#ports;
    const part = 1 + JITTER_PART * (2 * entropy.random() - 1);
    return settings().pollSeconds * SECOND_MS * part;
  }

  #spacing(): number {
    return SPACING_MS * (1 + this.#ports.entropy.random());
  }
}

/**
 * Returns whether to poll the account: only subscriptions have these figures. A
 * login that another program shares is not renewed for a poll; once its token
 * has expired it waits for a request.
 */
function isAsked(
  { account, sharedWith, expiresAt }: AccountRecord,
  now: Instant,
): boolean {
  if (account.kind !== "subscription" || !account.enabled) return false;
  const isOver = expiresAt !== null && expiresAt <= now;
  return sharedWith === null || !isOver;
}

/** Ignores a TcError: the credential's source has told the pool. */
function ignoreTcError(cause: unknown): void {
  if (!(cause instanceof TcError)) throw cause;
}

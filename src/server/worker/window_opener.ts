/**
 * Starts idle five-hour windows before the working day, if the user asked for
 * it (`routing.openWindows` is `scheduled`): one request of one token per
 * account, noted in the log. By default it sends nothing.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import type { PoolSnapshot } from "../../core/pool/pool.ts";
import type { QuotaObservation } from "../../core/quota/quota.ts";
import { type Opening, scheduledOpenings } from "../../core/quota/schedule.ts";
import { after, type Instant, MINUTE_MS } from "../../core/time.ts";
import type { ApiCall, ApiCallView } from "../../control/routes.ts";
import { TcError } from "../../errors.ts";
import type { Clock, Journal } from "../../ports.ts";
import { observation } from "../../wire/answer/ratelimit.ts";
import { Rounds } from "./rounds.ts";

interface WindowOpenerPorts {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly snapshot: () => PoolSnapshot;
  /** The offset of the machine's time zone at that instant. */
  readonly utcOffsetMinutes: (at: Instant) => number;
  readonly call: (call: ApiCall) => Promise<ApiCallView>;
  readonly observed: (observation: QuotaObservation) => void;
}

const LOOK_MS = MINUTE_MS;
/** If the server starts later than this after the time, it skips that day. */
const LATE_MS = 30 * MINUTE_MS;
const MODEL = "claude-haiku-5-5";

/** The whole request; it uses about ten tokens of the window that it starts. */
const BODY = JSON.stringify({
  model: MODEL,
  max_tokens: 1,
  messages: [{ role: "user", content: "." }],
});

export class WindowOpener {
  readonly #ports: WindowOpenerPorts;
  readonly #rounds: Rounds;
  /** Last tries by account, so that none is sent twice. */
  readonly #tried = new Map<AccountId, Instant>();

  constructor(ports: WindowOpenerPorts) {
    this.#ports = ports;
    const { clock, journal } = ports;
    this.#rounds = new Rounds({
      failure: "window",
      clock,
      journal,
      round: (signal) => this.#round(signal),
      afterFailureMs: LOOK_MS,
    });
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  async #round(signal: AbortSignal): Promise<number> {
    for (const opening of this.#due()) {
      if (signal.aborted) break;
      await this.#open(opening, signal);
    }
    return LOOK_MS;
  }

  #due(): readonly Opening[] {
    const snapshot = this.#ports.snapshot();
    if (snapshot.settings.openWindows !== "scheduled") return [];
    const { at: now } = snapshot;
    const offset = this.#ports.utcOffsetMinutes(now);
    return scheduledOpenings(snapshot, offset).filter(({ accountId, at }) =>
      at <= now && now < after(at, LATE_MS) && this.#tried.get(accountId) !== at
    );
  }

  async #open(
    { accountId, at }: Opening,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, journal } = this.#ports;
    this.#tried.set(accountId, at);
    try {
      const call = this.#ports.call({
        method: "POST",
        path: "/v1/messages",
        account: accountId,
        body: BODY,
      });
      const answer = await unlessStopped(call, signal);
      if (answer === null) return;
      const seen = observation(answer.headers, accountId, clock.now());
      if (seen !== null) this.#ports.observed(seen);
      journal.log("info", "window", {
        account: answer.account,
        state: answer.status === 200 ? "opened" : "refused",
        sent: `1 request, ${MODEL}, max_tokens 1`,
        status: answer.status,
      });
    } catch (cause) {
      if (!(cause instanceof TcError)) throw cause;
      const { message } = cause;
      journal.log("warn", "window", { account: accountId, reason: message });
    }
  }
}

/** Returns the result of `work`, or null if the server ends first. */
async function unlessStopped<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result | null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  function stop(): void {
    resolve(null);
  }
  signal.addEventListener("abort", stop, { once: true });
  // After the end nobody waits for a failure.
  work.catch(() => {});
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

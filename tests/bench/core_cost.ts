/**
 * What one request costs in the core: the decision and the events of its life,
 * 32 requests in flight: `deno run tests/bench/core_cost.ts [accounts]
 * [conversations]`. The shortest of twenty measurements counts, so that the
 * machine's other work matters little.
 */

import { reduce, snapshot } from "../../src/core/pool/pool.ts";
import type { PoolState } from "../../src/core/pool/state.ts";
import type { QuotaWindow } from "../../src/core/quota/quota.ts";
import { route } from "../../src/core/route/route.ts";
import { after, type Instant } from "../../src/core/time.ts";
import {
  account,
  accountId,
  closed,
  conversationId,
  judged,
  NOW,
  opened,
  poolOf,
  query,
  quotaWindow,
} from "../fixtures/pool.ts";

const IN_FLIGHT = 32;
const REQUESTS = 3_000;
const MEASUREMENTS = 20;
const WARM_UP = 30_000;

function windowsOf(number: number, at: Instant): readonly QuotaWindow[] {
  const part = number % 20 / 100;
  return [
    quotaWindow("5h", 4 * part, { observedAt: at }),
    quotaWindow("7d", 3 * part, { observedAt: at }),
  ];
}

/** A pool under load, one request after the other. */
export class CoreLoad {
  #state: PoolState;
  readonly #conversations: number;
  readonly #open: { readonly lease: string; readonly account: string }[] = [];
  #count = 0;

  constructor(accounts: number, conversations: number) {
    const known = Array.from({ length: accounts }, (_, number) => ({
      account: account(`account${number}`),
      windows: windowsOf(number, NOW),
    }));
    this.#conversations = conversations;
    this.#state = poolOf(known, {
      concurrencyGate: "off",
      perMinuteGate: "off",
    });
  }

  /** Begins a request, and ends the oldest one. */
  step(): void {
    const at = after(NOW, Math.floor(this.#count / 5));
    const session = `${this.#count % this.#conversations}`.padStart(12, "0");
    const facts = query({
      conversation: conversationId(`50aead76-f351-4346-b9ca-${session}`),
      contextTokens: 600,
    });
    const decision = route(snapshot(this.#state, at), facts);
    if (decision.kind !== "use") throw new Error(decision.kind);
    const lease = `lease-${this.#count++}`;
    const { accountId: name } = decision;
    this.#state = reduce(this.#state, opened(lease, name, facts, at));
    this.#open.push({ lease, account: name });
    if (this.#open.length >= IN_FLIGHT) this.#end(at);
  }

  #end(at: Instant): void {
    const ended = this.#open.shift();
    if (ended === undefined) return;
    const number = Number(ended.account.slice("account".length));
    const usage = { input: 10, cacheRead: 500, output: 50 };
    for (
      const event of [
        {
          kind: "quota_observed",
          observation: {
            accountId: accountId(ended.account),
            at,
            source: "response_headers",
            windows: windowsOf(number, at),
            overage: null,
          },
        },
        judged(ended.lease, { kind: "served" }, at),
        closed(ended.lease, usage, at),
      ] as const
    ) this.#state = reduce(this.#state, event);
  }
}

function main([accounts = "3", conversations = "64"]: readonly string[]): void {
  const load = new CoreLoad(Number(accounts), Number(conversations));
  const warmUp = Math.max(WARM_UP, 2 * Number(conversations));
  for (let count = 0; count < warmUp; count++) load.step();
  let least = Infinity;
  for (let turn = 0; turn < MEASUREMENTS; turn++) {
    const startedAt = performance.now();
    for (let count = 0; count < REQUESTS; count++) load.step();
    least = Math.min(least, (performance.now() - startedAt) / REQUESTS);
  }
  // deno-lint-ignore no-console
  console.log(
    `${accounts} accounts, ${conversations} conversations: ${
      (least * 1_000).toFixed(1)
    } µs a request`,
  );
}

if (import.meta.main) main(Deno.args);

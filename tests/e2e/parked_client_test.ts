/**
 * Parking with the real Claude Code: more conversations than the quota feeds,
 * and what the one that is parked is told, does, and loses, which is nothing.
 */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { after, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/time.ts";
import {
  claudeBinary,
  ClaudeHome,
  type ClaudeVersion,
  testEachClaude,
  whyNoClaude,
} from "../fixtures/claude_code.ts";
import { quotaWindow } from "../fixtures/pool.ts";
import { ask } from "../fixtures/proxy_client.ts";
import { LOCAL_KEY, type ProxyKitOptions } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";
import { trials } from "../fixtures/trials.ts";
import type { AccountId } from "../../src/core/account.ts";
import type { Clock } from "../../src/ports.ts";

/** The client in login mode: it takes any token and sends it to the base URL. */
function loginMode(url: string): Readonly<Record<string, string>> {
  return { ANTHROPIC_BASE_URL: url, CLAUDE_CODE_OAUTH_TOKEN: LOCAL_KEY };
}

/** More than three Pro plans feed, so that a turn is the shortest: ten minutes. */
const OTHERS = 20;
const TURN_MS = 10 * MINUTE_MS;

class Crowd extends Scene {
  readonly #clock: Clock;

  constructor(options: Partial<ProxyKitOptions> = {}) {
    super({ tier: "pro", settings: { parking: 4 }, ...options });
    this.#clock = options.clock ?? realClock;
  }

  /** Twenty conversations begin, and more than half of the quota is spent. */
  async gather(): Promise<void> {
    for (let index = 10; index < 10 + OTHERS; index++) {
      const session = `000000${index}-5555-4000-8000-000000000000`;
      await (await ask(this.kit, { session })).text();
    }
    this.use(0.7);
  }

  /** From now on each account's five-hour window reads that. */
  use(utilization: number): void {
    const at = this.#clock.now();
    for (const label of ["a", "b", "c"]) {
      this.kit.keeper.dispatch({
        kind: "quota_observed",
        observation: {
          accountId: label as AccountId,
          at,
          source: "response_headers",
          windows: [quotaWindow("5h", utilization, {
            observedAt: at,
            resetsAt: after(at, 3 * HOUR_MS),
          })],
          overage: null,
        },
      });
    }
  }

  /** Requests of the crowd and of the client that reached the provider. */
  get served(): number {
    return this.origin.requests().length;
  }
}

testEachClaude(
  "a parked conversation in print mode is told its turn at once, and is served when it comes again",
  async (version) => {
    await using crowd = new Crowd();
    await using claude = await ClaudeHome.make(version);
    await crowd.gather();
    const turnAt = realClock.now() + TURN_MS;
    const parked = await claude.run(["-p", "hi"], loginMode(crowd.kit.url));
    strictEqual(parked.code, 1);
    match(
      `${parked.stdout}${parked.stderr}`,
      /You've hit your .*limit.* resets /,
    );
    ok(parked.tookMs < 20_000, `${Math.round(parked.tookMs)} ms`);
    strictEqual(crowd.served, OTHERS, "it was sent");
    const [turn] = [...crowd.kit.keeper.snapshot().parked.values()];
    ok(turn !== undefined && Math.abs(turn.turnAt - turnAt) < 30_000);
    strictEqual(crowd.kit.records.at(-1)?.reason, "parked");
    crowd.use(0.1);
    const again = await claude.run(["-p", "hi"], loginMode(crowd.kit.url));
    strictEqual(again.code, 0, again.stderr);
    match(again.stdout, /Hi/);
    await crowd.kit.isEmpty();
  },
);

testEachClaude(
  "a parked conversation of a client that knows no limit answer is held, and served at the end of its hold",
  async (version) => {
    await using crowd = new Crowd({ hold: { maxMs: 4_000, silentMs: 500 } });
    await using claude = await ClaudeHome.make(version);
    await crowd.gather();
    const { code, stdout, stderr, tookMs } = await claude.run(["-p", "hi"], {
      ANTHROPIC_BASE_URL: crowd.kit.url,
      ANTHROPIC_AUTH_TOKEN: LOCAL_KEY,
    });
    strictEqual(code, 0, stderr);
    match(stdout, /Hi/);
    ok(tookMs >= 4_000, `${Math.round(tookMs)} ms`);
    await crowd.kit.isEmpty();
  },
);

/** The turn by tc's clock is so far away by the client's. */
const SHORT_TURN_MS = 45 * SECOND_MS;

/** A clock that is late, so that ten minutes are over for the client sooner. */
const LATE: Clock = {
  ...realClock,
  now: () => after(realClock.now(), SHORT_TURN_MS - TURN_MS),
};

async function comesBack(version: ClaudeVersion): Promise<void> {
  await using crowd = new Crowd({ clock: LATE });
  await using claude = await ClaudeHome.make(version);
  await claude.settleIn();
  await crowd.gather();
  const binary = await claudeBinary(version);
  await using tmux = await Tmux.open({
    columns: 120,
    rows: 40,
    variables: {
      HOME: claude.home,
      LANG: "C.UTF-8",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      ...loginMode(crowd.kit.url),
    },
  });
  await tmux.type(`cd ${claude.project} && ${binary}`);
  await tmux.until("prompt", (text) => text.includes("❯"));
  await tmux.type("count the parked cars");
  const screen = await tmux.until(
    "limit",
    (text) => text.includes("continue automatically at"),
  );
  match(screen, /[Uu]sage limit reached|hit your 5-hour limit/);
  const asked = crowd.kit.records.length;
  strictEqual(crowd.kit.keeper.snapshot().parked.size, 1);
  crowd.use(0.1);
  // The client looks once a minute whether its time has come.
  for (let second = 0; second < 200 && crowd.served === OTHERS; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  await tmux.until("answer", (text) => /● Hi\b/.test(text));
  const sent = crowd.origin.requests().slice(OTHERS)
    .map(({ body }) => new TextDecoder().decode(body));
  ok(sent.some((body) => body.includes("count the parked cars")));
  // It asked nothing between, and nobody is parked any more.
  ok(crowd.kit.records.length <= asked + 3, `${crowd.kit.records.length}`);
  strictEqual(crowd.kit.keeper.snapshot().parked.size, 0);
}

Deno.test({
  name:
    "an interactive client shows its turn, comes back by itself, and is served",
  // Up to three minutes: with TC_LONG=1 alone.
  ignore: trials(0, 1) === 0 || whyNoClaude() !== null || !hasTmux(),
  fn: () => comesBack("2.1.332"),
});

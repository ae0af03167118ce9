/** `tc run` beside a login of Claude Code's own, alive and dead. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { testEachClaude } from "../fixtures/claude_code.ts";
import { loginText } from "../fixtures/swap_kit.ts";
import { SwapStage } from "../fixtures/swap_stage.ts";
import type { ProcessEnd } from "../fixtures/tc_process.ts";

function run(stage: SwapStage, words: string): Promise<ProcessEnd> {
  return stage.tc(
    "run",
    "--",
    "--dangerously-skip-permissions",
    "-p",
    words,
  );
}

/** A pool of `work`, and a login of its own in the client's store. */
async function opened(
  version: Parameters<Parameters<typeof testEachClaude>[1]>[0],
  change: (login: Record<string, unknown>) => Record<string, unknown>,
  prepare: (stage: SwapStage) => void = () => {},
): Promise<SwapStage> {
  const stage = await SwapStage.open(["work"], undefined, {
    version,
    hasHosts: true,
  });
  const { claudeAiOauth } = JSON.parse(loginText(stage.api.account("own")));
  prepare(stage);
  await Deno.mkdir(`${stage.home}/.claude`);
  await Deno.writeTextFile(
    `${stage.home}/.claude/.credentials.json`,
    JSON.stringify({ claudeAiOauth: change(claudeAiOauth) }),
  );
  return stage;
}

testEachClaude(
  "a dead login of the client's own leaves the launch to the pool",
  async (version) => {
    await using stage = await opened(
      version,
      (login) => ({ ...login, expiresAt: Date.now() - 1 }),
      ({ api }) => api.account("own").revoke(),
    );
    const end = await run(stage, "demo:say one");
    strictEqual(end.code, 0, end.stdout + end.stderr);
    match(end.stdout, /^one/);
    match(
      end.stderr,
      /own login does not serve \(the provider no longer accepts it\)/,
    );
    match(stage.served().at(-1) ?? "", /^work 200/);
  },
);

testEachClaude(
  "a login of the client's own that is over is renewed for both",
  async (version) => {
    await using stage = await opened(
      version,
      (login) => ({ ...login, expiresAt: Date.now() - 1 }),
      ({ api }) => api.account("own").expire(),
    );
    const before = await stage.login();
    const end = await run(stage, "demo:say one");
    strictEqual(end.code, 0, end.stdout + end.stderr);
    ok(!end.stderr.includes("does not serve"), end.stderr);
    const after = await stage.login();
    ok(before?.["refreshToken"] !== after?.["refreshToken"]);
    strictEqual(stage.api.families().rotations, 1);
    strictEqual(stage.api.families().killed, 0);
  },
);

testEachClaude(
  "a login of the client's own without its scopes leaves the launch to the pool",
  async (version) => {
    for (const scopes of [[], ["user:profile"]]) {
      await using stage = await opened(
        version,
        (login) => ({ ...login, scopes }),
      );
      const end = await run(stage, "demo:say one");
      strictEqual(end.code, 0, end.stdout + end.stderr);
      match(end.stderr, /may not send messages \(scope user:inference\)/);
      match(stage.served().at(-1) ?? "", /^work 200/);
    }
  },
);

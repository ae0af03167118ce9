/** What a swap brings the real client besides its tokens, and when nothing. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { testEachClaude } from "../fixtures/claude_code.ts";
import { SwapStage } from "../fixtures/swap_stage.ts";
import type { ProcessEnd } from "../fixtures/tc_process.ts";

const DAY_MS = 86_400_000;

function assertRun(run: ProcessEnd, stdout: RegExp = /(?:)/): void {
  strictEqual(run.code, 0, run.stderr + run.stdout);
  match(run.stdout, stdout);
}

testEachClaude(
  "a swapped login brings the end of its sign-in, and the client warns of it",
  async (version) => {
    await using stage = await SwapStage.open(["work"], undefined, {
      version,
      hasHosts: true,
    });
    await stage.signIn("work");
    assertRun(await stage.tc("swap", "use", "work"), /login of work/);
    const login = await stage.login();
    const { identity } = stage.api.account("work");
    strictEqual(login?.["accountUuid"], identity.accountUuid);
    strictEqual(login?.["organizationUuid"], identity.organizationUuid);
    const status = JSON.parse((await stage.run("auth", "status")).stdout);
    const endsAt = Date.parse(status.loginExpiresAt);
    ok(
      Math.abs(endsAt - Date.now() - 30 * DAY_MS) < 3_600_000,
      status.loginExpiresAt,
    );
    const accounts = await stage.tc("accounts", "-v");
    match(accounts.stdout, /sign-in ends \d+ \w+/);
  },
);

testEachClaude(
  "a swap that has no effect says what outranks the login",
  async (version) => {
    await using stage = await SwapStage.open(["work"], (api) => {
      api.account("console", { kind: "api_key" });
    }, { version, hasHosts: true });
    const key = stage.api.account("console").apiKey;
    await Deno.mkdir(join(stage.home, ".claude"));
    await Deno.mkdir(join(stage.project, ".claude"));
    const places = [
      stage.settingsFile(),
      join(stage.project, ".claude", "settings.json"),
      join(stage.project, ".claude", "settings.local.json"),
    ];
    const settings: readonly (readonly [unknown, RegExp])[] = [
      [{ apiKeyHelper: `echo ${key}` }, /a key, by apiKeyHelper in .*settings/],
      [
        { env: { ANTHROPIC_API_KEY: key } },
        /a key, by ANTHROPIC_API_KEY in .*settings/,
      ],
    ];
    for (const place of places) {
      for (const [text, words] of settings) {
        await Deno.writeTextFile(place, JSON.stringify(text));
        const swap = await stage.tc("swap", "use", "work");
        assertRun(swap, /login of work.*, and does not use it/);
        match(swap.stderr, words);
        ok(swap.stderr.includes(place), swap.stderr);
        ok(!swap.stderr.includes(key));
        // And so it is: somebody else pays.
        assertRun(await stage.turn(["demo:say one"]), /^one/);
        strictEqual(stage.served().at(-1), "console 200");
        await Deno.remove(place);
      }
    }
    const variable = await stage.pool.tc(
      ["swap", "use", "work"],
      { ...stage.variables(), ANTHROPIC_API_KEY: key },
      stage.project,
    );
    match(variable.stderr, /by ANTHROPIC_API_KEY in the environment/);
    const quiet = await stage.tc("swap", "use", "work");
    ok(!quiet.stderr.includes("no effect"), quiet.stderr);
    assertRun(await stage.turn(["demo:say two"]), /^two/);
    strictEqual(stage.served().at(-1), "work 200");
  },
);

testEachClaude(
  "what leads the client past the pool is undone by a launch and named by the doctor",
  async (version) => {
    await using stage = await SwapStage.open(["work"], undefined, {
      version,
      hasHosts: true,
    });
    await Deno.mkdir(join(stage.home, ".claude"));
    await Deno.mkdir(join(stage.project, ".claude"));
    const places = [
      stage.settingsFile(),
      join(stage.project, ".claude", "settings.json"),
      join(stage.project, ".claude", "settings.local.json"),
    ];
    const env: readonly Record<string, string>[] = [
      { CLAUDE_CODE_USE_BEDROCK: "1" },
      { CLAUDE_CODE_USE_VERTEX: "1" },
      { ANTHROPIC_BASE_URL: "http://127.0.0.1:9" },
      { ANTHROPIC_API_KEY: "sk-ant-api03-FAKE-other" },
    ];
    const run = (more: Record<string, string> = {}) =>
      stage.pool.tc(
        ["run", "--", "--dangerously-skip-permissions", "-p", "demo:say hi"],
        { ...stage.variables(), ...more },
        stage.project,
      );
    for (const [index, variables] of env.entries()) {
      const [name = ""] = Object.keys(variables);
      // Each variable in another place, and one in the environment.
      const place = places[index % places.length] ?? "";
      await Deno.writeTextFile(place, JSON.stringify({ env: variables }));
      const doctor = await stage.tc("doctor");
      match(
        doctor.stdout,
        new RegExp(`${name} in ${place.replaceAll(".", "\\.")}`),
      );
      assertRun(await run(), /^hi/);
      strictEqual(stage.served().at(-1), "work 200", name);
      await Deno.remove(place);
      assertRun(await run(variables), /^hi/);
      strictEqual(stage.served().at(-1), "work 200", name);
    }
  },
);

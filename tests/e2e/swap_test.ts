/** The real Claude Code on logins that tc swaps, without the proxy. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { testEachClaude, whyNoClaude } from "../fixtures/claude_code.ts";
import { SwapStage } from "../fixtures/swap_stage.ts";
import type { ProcessEnd } from "../fixtures/tc_process.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";

const WHY_NOT = whyNoClaude();
const WAIT_MS_MAX = 120_000;
const LOOK_MS = 100;
const SETTINGS = `{
  "model": "sonnet",
  "env": {}
}
`;

function clientTest(name: string, body: () => Promise<void>): void {
  Deno.test({
    name: WHY_NOT === null ? name : `${name} (skipped: ${WHY_NOT})`,
    ignore: WHY_NOT !== null,
    fn: body,
  });
}

function assertRun(run: ProcessEnd, stdout: RegExp = /(?:)/): void {
  strictEqual(run.code, 0, run.stderr + run.stdout);
  match(run.stdout, stdout);
}

/** Waits until `isSo`; fails after two minutes. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + WAIT_MS_MAX;
  while (!await isSo()) {
    ok(performance.now() < end, "it never came to be");
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

clientTest(
  "a client that runs takes the swapped login at its next turn",
  async () => {
    await using stage = await SwapStage.open(["work", "home"]);
    assertRun(await stage.tc("swap", "use", "work"), /login of work/);
    const child = stage.command([
      "--input-format",
      "stream-json",
      "--output-format",
      "stream-json",
      "--verbose",
    ], { stdin: "piped", stderr: "null" }).spawn();
    const writer = child.stdin.getWriter();
    const say = (text: string) =>
      writer.write(
        new TextEncoder().encode(
          `${
            JSON.stringify({
              type: "user",
              message: { role: "user", content: text },
            })
          }\n`,
        ),
      );
    const output = new Response(child.stdout).text();
    await say("demo:say one");
    await until(() => Promise.resolve(stage.messages().length === 1));
    assertRun(await stage.tc("swap", "use", "home"), /login of home/);
    await say("demo:say two");
    await until(() => Promise.resolve(stage.messages().length === 2));
    await writer.close();
    await child.status;
    match(await output, /"two"/);
    deepStrictEqual(stage.served(), ["work 200", "home 200"]);
    const [first, second] = stage.messages();
    strictEqual(second?.session, first?.session);
  },
);

clientTest(
  "a turn that meets its limit swaps by the plugin's hook",
  async () => {
    await using stage = await SwapStage.open(["work", "home"]);
    assertRun(await stage.tc("plugin", "install"), /Installed tc@tc/);
    assertRun(await stage.tc("swap", "use", "work"));
    // The figures look well: only the refused turn tells.
    stage.api.next("work").reply(429, {
      rejected: "5h",
      resetsInMs: 3_600_000,
    });
    const limited = await stage.turn(["demo:say one"]);
    strictEqual(limited.code, 1, limited.stdout);
    match(limited.stdout, /hit your .*limit/i);
    await until(async () => await stage.inUse() === "home");
    assertRun(await stage.turn(["demo:say two", "--continue"]), /^two/);
    strictEqual(stage.served().at(-1), "home 200");
    assertRun(await stage.tc("plugin", "uninstall"));
    deepStrictEqual(await stage.settings(), {});
  },
);

clientTest(
  "a session that begins leaves a full account by the plugin's hook",
  async () => {
    await using stage = await SwapStage.open(["work", "home"]);
    assertRun(await stage.tc("plugin", "install"), /Installed tc@tc/);
    assertRun(await stage.tc("swap", "use", "work"));
    stage.api.account("work").windows({ "5h": 0.95 });
    assertRun(await stage.turn(["demo:say one"]), /^one/);
    await until(async () => await stage.inUse() === "home");
  },
);

clientTest(
  "keys serve when every login is spent, and logins again after a reset",
  async () => {
    await using stage = await SwapStage.open(["work", "home"], (api) => {
      api.account("console", { kind: "api_key" });
      for (const name of ["work", "home"]) {
        api.account(name).windows({ "5h": 1 }).resetIn("5h", 3_600_000);
      }
    });
    await Deno.mkdir(`${stage.home}/.claude`);
    await Deno.writeTextFile(stage.settingsFile(), SETTINGS);
    const auto = await stage.tc("swap", "auto");
    strictEqual(auto.code, 0, auto.stderr);
    match(auto.stderr, /now uses API keys/);
    assertRun(await stage.turn(["demo:say by key"]), /^by key/);
    strictEqual(stage.served().at(-1), "console 200");
    const status = JSON.parse((await stage.tc("swap", "status")).stdout);
    strictEqual(status.mode, "apikey");
    strictEqual(status.name, "console");

    // The provider resets early: what was heard before holds no more.
    stage.api.account("home").windows({ "5h": 0.1 });
    await stage.forgetUsage();
    // The helper that prints this key looks for a login at the same time.
    assertRun(await stage.turn(["demo:say by key again"]), /^by key again/);
    await until(async () =>
      (await stage.settings())["apiKeyHelper"] === undefined
    );
    assertRun(await stage.turn(["demo:say by login"]), /^by login/);
    match(stage.served().at(-1) ?? "", /^(work|home) 200$/);
    strictEqual(
      await Deno.readTextFile(stage.settingsFile()),
      SETTINGS,
    );
  },
);

if (hasTmux()) {
  testEachClaude(
    "after a swap the status line says that the next prompt works, and the prompt says why",
    async (version) => {
      await using stage = await SwapStage.open(["work", "home"], undefined, {
        version,
      });
      await Deno.mkdir(`${stage.home}/.claude`);
      await Deno.writeTextFile(
        stage.settingsFile(),
        JSON.stringify({ permissions: { defaultMode: "default" } }),
      );
      assertRun(await stage.tc("plugin", "install"));
      assertRun(await stage.tc("statusline", "install"));
      assertRun(await stage.tc("swap", "use", "work"));
      await stage.settleIn();
      stage.api.next("work").reply(429, {
        rejected: "5h",
        resetsInMs: 3_600_000,
      });
      const variables = { ...stage.variables() };
      await using tmux = await Tmux.open({ columns: 150, rows: 45, variables });
      await tmux.type(
        `cd '${stage.project}' && PATH='${variables["PATH"]}' ` +
          `ANTHROPIC_BASE_URL='${stage.api.url}' claude`,
      );
      await tmux.until("prompt", (screen) => /Claude Code v/.test(screen));
      await tmux.type("demo:say one");
      await tmux.until("limit", (screen) => /limit reached/.test(screen));
      await until(async () => await stage.inUse() === "home");
      await tmux.until(
        "note",
        (screen) => /home has room: prompt again/.test(screen),
      );
      await tmux.type("demo:say two");
      const screen = await tmux.until(
        "answer",
        (seen) => /● two/.test(seen),
      );
      match(
        screen.replaceAll(/\s+/g, " "),
        /Claude Code has the login of home now: this prompt need not wait/,
      );
      await tmux.until(
        "no note",
        (seen) => !/home has room: prompt again/.test(seen),
      );
      strictEqual(stage.served().at(-1), "home 200");
    },
  );
}

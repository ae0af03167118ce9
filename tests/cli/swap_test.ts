/** `tc swap` and `tc profile` as processes, without a client. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { putClient } from "../fixtures/client_stub.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { canLink } from "../fixtures/file_abilities.ts";

class Stage implements AsyncDisposable {
  readonly api: ScriptedApi;
  readonly pool: TcPool;

  private constructor(api: ScriptedApi, pool: TcPool) {
    this.api = api;
    this.pool = pool;
  }

  static async open(names: readonly string[]): Promise<Stage> {
    const api = await startScriptedApi();
    for (const name of names) api.account(name);
    return new Stage(api, await TcPool.of(api, { usage: { poll: false } }));
  }

  credentials(): string {
    return this.pool.folder.join(".claude", ".credentials.json");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool[Symbol.asyncDispose]();
    await this.api[Symbol.asyncDispose]();
  }
}

Deno.test("tc swap use, status and list say whose login Claude Code has", async () => {
  await using stage = await Stage.open(["work", "home"]);
  const { pool, api } = stage;
  deepStrictEqual(await pool.json(["swap", "status"]), {
    schema: "tc.swap/v1",
    mode: "account",
    name: "",
  });
  const used = await pool.json(["swap", "use", "work"]);
  strictEqual(used["schema"], "tc.swap_use/v1");
  strictEqual(used["changed"], true);
  match(
    await Deno.readTextFile(stage.credentials()),
    new RegExp(api.account("work").token()),
  );
  api.account("home").windows({ "5h": 0.04, "7d": 0.02 });
  const list = await pool.json(["swap", "list"]);
  strictEqual(list["current"], "work");
  const { stdout } = await pool.tc(["swap", "list", "--offline"]);
  match(stdout, /^ {2}home .*4\s?%.* 2\s?%.*ago\)$/m);
  match(stdout, /^\* work/m);
  ok(!stdout.includes("sk-ant"));
  const asked = api.requests().length;
  strictEqual((await pool.json(["swap", "status"]))["name"], "work");
  strictEqual(api.requests().length, asked, "status asked the network");
});

Deno.test("tc swap auto exits with a code that scripts can use", async () => {
  await using stage = await Stage.open(["work", "home"]);
  const { pool, api } = stage;
  for (const name of ["work", "home"]) api.account(name).windows({ "5h": 1 });
  const spent = await pool.tc(["swap", "auto"]);
  strictEqual(spent.code, 75);
  match(spent.stderr, /Every account is spent/);
  for (const name of ["work", "home"]) api.nextUsage(name).overload();
  const unknown = await pool.tc(["swap", "auto"]);
  strictEqual(unknown.code, 69);
  api.account("home").windows({ "5h": 0.5 });
  const done = await pool.tc(["swap", "auto"]);
  strictEqual(done.code, 0);
  match(done.stderr, /now has home/);
  const odd = await pool.tc(["swap", "auto", "--threshold", "7"]);
  strictEqual(odd.code, 2);
});

Deno.test("tc swap key takes keys from standard input and never shows one", async () => {
  await using stage = await Stage.open([]);
  const { pool } = stage;
  const key = stage.api.account("console", { kind: "api_key" }).apiKey;
  const child = pool.command(["swap", "key", "add", "--id", "console"], {
    stdin: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${key}\n`));
  await writer.close();
  const { code, stdout } = await child.output();
  strictEqual(code, 0);
  ok(!new TextDecoder().decode(stdout).includes(key));
  const listed = await pool.tc(["swap", "key", "list"]);
  strictEqual(listed.stdout, "console\n");
  // Keys alone: they serve at once.
  strictEqual((await pool.tc(["swap", "auto"])).code, 0);
  strictEqual((await pool.tc(["swap", "helper"])).stdout, `${key}\n`);
  // A server that ran meanwhile remembers the accounts that it had.
  await pool.tc(["env"]);
  await pool.tc(["stop"]);
  strictEqual((await pool.tc(["swap", "key", "rm", "console"])).code, 0);
  const doctor = await pool.tc(["doctor"]);
  ok(!doctor.stdout.includes("is gone"), doctor.stdout);
  strictEqual((await pool.tc(["swap", "key", "list"])).stdout, "");
  await pool.tc(["swap", "off"]);
  const settings = pool.folder.join(".claude", "settings.json");
  deepStrictEqual(JSON.parse(await Deno.readTextFile(settings)), {});
});

Deno.test("tc swap use says that the running server uses the account too", async () => {
  await using stage = await Stage.open(["work"]);
  const { pool } = stage;
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  for (let tries = 0; tries < 300; tries++) {
    if ((await pool.tc(["status"])).code === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const { code, stderr } = await pool.tc(["swap", "use", "work"]);
  strictEqual(code, 0);
  match(stderr, /note: the running server uses work too: their use adds up/);
  match(stderr, /tc disable work/);
  await pool.tc(["stop"]);
  await server.status;
});

Deno.test({
  name: "a profile's login is not swapped, neither by hand nor by a hook",
  // A profile is made of links.
  ignore: !await canLink(),
  fn: async () => {
    await using stage = await Stage.open(["work", "home"]);
    const { pool } = stage;
    strictEqual((await pool.tc(["swap", "use", "work"])).code, 0);
    strictEqual((await pool.tc(["profile", "add", "home"])).code, 0);
    const { profiles } = await pool.json(["profile", "list"]) as {
      profiles: { folder: string }[];
    };
    const env = { CLAUDE_CONFIG_DIR: profiles[0]?.folder ?? "" };
    const byHand = await pool.tc(["swap", "use", "work"], env);
    strictEqual(byHand.code, 2);
    match(byHand.stderr, /Cannot swap in a profile/);
    const asked = stage.api.requests().length;
    const byHook = await pool.tc(["hook", "user-prompt-submit"], env);
    strictEqual(byHook.code, 0);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    strictEqual(stage.api.requests().length, asked);
  },
});

Deno.test({
  name: "a login in two places is reported when its profile is launched",
  // A profile is made of links.
  ignore: !await canLink(),
  fn: async () => {
    await using stage = await Stage.open(["work"]);
    const { pool } = stage;
    strictEqual((await pool.tc(["swap", "use", "work"])).code, 0);
    strictEqual((await pool.tc(["profile", "add", "work"])).code, 0);
    const bin = pool.folder.join("bin");
    await Deno.mkdir(bin);
    await Deno.writeTextFile(
      `${bin}/claude`,
      `#!/bin/sh\necho "$CLAUDE_CONFIG_DIR"\nexit 7\n`,
    );
    await Deno.chmod(`${bin}/claude`, 0o755);
    const run = await pool.tc(["run", "--profile", "work"], {
      PATH: `${bin}:${Deno.env.get("PATH")}`,
      ANTHROPIC_API_KEY: "sk-ant-api03-FAKE-x",
    });
    strictEqual(run.code, 7);
    match(run.stdout, /\/profiles\//);
    match(
      run.stderr,
      /warning: the login of work is also in .*\.credentials\.json/,
    );
  },
});

Deno.test("tc swap auto --launch starts the client whether or not it swapped", async () => {
  await using stage = await Stage.open(["work"]);
  const { pool } = stage;
  const bin = pool.folder.join("bin");
  await Deno.mkdir(bin);
  const path = await putClient(bin, {
    sh: 'echo "with $*"\nexit 9',
    js: `console.log("with " + process.argv.slice(2).join(" "));
process.exitCode = 9;`,
  });
  stage.api.nextUsage("work").overload();
  const { code, stdout, stderr } = await pool.tc([
    "swap",
    "auto",
    "--launch",
    "--",
    "--continue",
    "-p",
  ], { PATH: path });
  strictEqual(code, 9);
  strictEqual(stdout, "with --continue -p\n");
  match(stderr, /Usage is not available/);
});

Deno.test("tc plugin install shows what it would do, and says when there is no client", async () => {
  await using stage = await Stage.open([]);
  const dry = await stage.pool.tc(["plugin", "install", "--dry-run"]);
  strictEqual(dry.code, 0);
  match(dry.stdout, /run {3}claude plugin install tc@tc/);
  const none = await stage.pool.tc(["plugin", "install"], { PATH: "/nowhere" });
  strictEqual(none.code, 69);
  match(none.stderr, /Claude Code is not on your PATH/);
});

Deno.test("a process that waits for a reset ends once keys are no longer used", async () => {
  await using stage = await Stage.open([]);
  const { pool } = stage;
  strictEqual((await pool.tc(["swap", "wake", "3600"])).code, 0);
  stage.api.account("console", { kind: "api_key" });
  const { apiKey } = stage.api.account("console");
  const child = pool.command(["swap", "key", "add", "--id", "console"], {
    stdin: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${apiKey}\n`));
  await writer.close();
  strictEqual((await child.output()).code, 0);
  strictEqual((await pool.tc(["swap", "auto"])).code, 0);
  const waiting = pool.command(["swap", "wake", "3600"]).spawn();
  let hasEnded = false;
  const ended = waiting.output().then(({ code }) => {
    hasEnded = true;
    return code;
  });
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  strictEqual(hasEnded, false, "it did not wait");
  await pool.tc(["swap", "off"]);
  const timer = setTimeout(() => waiting.kill("SIGKILL"), 40_000);
  strictEqual(await ended, 0);
  clearTimeout(timer);
});

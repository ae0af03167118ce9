/** A server that ends under `tc run` is started again, and the turn goes on. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { testEachClaude } from "../fixtures/claude_code.ts";
import { ClientStage, QUIET } from "../fixtures/client_stage.ts";
import { report } from "../fixtures/report.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { needs } from "../fixtures/skipped.ts";

const WAIT_MS = 60_000;
const LOOK_MS = 20;

async function until<Value>(
  what: string,
  look: () => Promise<Value | null> | Value | null,
): Promise<Value> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const value = await look();
    if (value !== null) return value;
    if (performance.now() > deadline) throw new Error(`No ${what} came`);
    await new Promise((wake) => setTimeout(wake, LOOK_MS));
  }
}

/** The process that answers on the pool's port, or null. */
async function serverPid(pool: TcPool): Promise<number | null> {
  try {
    const response = await fetch(`${await pool.baseUrl()}/healthz`);
    const { pid } = await response.json() as { pid: number };
    return pid;
  } catch {
    // None runs.
    return null;
  }
}

testEachClaude(
  "kill -9 of the server in the middle of an answer ends no turn",
  async (version) => {
    await using stage = await ClientStage.open(QUIET, version);
    stage.api.set({ tokensPerSecond: 40 });
    const child = stage.pool.command(
      [
        "run",
        "--",
        "--dangerously-skip-permissions",
        "-p",
        `demo:say The whole answer. ${"x ".repeat(80)}`,
      ],
      { env: stage.variables(), cwd: stage.claude.project },
    ).spawn();
    const output = child.output();
    await until("answer", () => stage.messages()[0]?.status ?? null);
    const before = await until("server", () => serverPid(stage.pool));
    const killedAtMs = performance.now();
    Deno.kill(before, "SIGKILL");
    await until("server", async () => {
      const pid = await serverPid(stage.pool);
      return pid === before ? null : pid;
    });
    const tookMs = Math.round(performance.now() - killedAtMs);
    report(`${version}: a server serves again after ${tookMs} ms`);
    stage.api.set({ tokensPerSecond: 1_000 });
    const { code, stdout, stderr } = await output;
    const decoder = new TextDecoder();
    strictEqual(code, 0, decoder.decode(stderr));
    match(decoder.decode(stdout), /The whole answer/);
    match(decoder.decode(stderr), /the server ended and was started again/);
    ok(stage.messages().length >= 2, "the client did not ask again");
    ok(tookMs < 5_000, `it took ${tookMs} ms`);
  },
);

Deno.test({
  name: "tc stop under an open tc run says that it is started again, and it is",
  ignore: needs("scripts"),
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, QUIET);
    const folder = pool.folder.join("bin");
    await Deno.mkdir(folder);
    const mark = pool.folder.join("go-on");
    await Deno.writeTextFile(
      `${folder}/claude`,
      `#!/bin/sh\nwhile [ ! -e '${mark}' ]; do sleep 0.1; done\n`,
      { mode: 0o755 },
    );
    const env = { PATH: `${folder}:${Deno.env.get("PATH")}` };
    const runs = [1, 2, 3].map(() => pool.command(["run"], { env }).spawn());
    const ends = runs.map((run) => run.output());
    const first = await until("server", () => serverPid(pool));
    // All three keep it.
    await new Promise((wake) => setTimeout(wake, 1_500));
    const stopped = await pool.tc(["stop"]);
    strictEqual(stopped.code, 0, stopped.stderr);
    match(stopped.stderr, /An open tc run starts it again/);
    const second = await until("server", async () => {
      const pid = await serverPid(pool);
      return pid === first ? null : pid;
    });
    await new Promise((wake) => setTimeout(wake, 1_000));
    // Of three keepers one started it, and none starts another.
    strictEqual(await serverPid(pool), second);
    await Deno.writeTextFile(mark, "");
    for (const end of ends) strictEqual((await end).code, 0);
    const last = await pool.tc(["stop"]);
    strictEqual(last.stderr, "");
    await new Promise((wake) => setTimeout(wake, 1_000));
    strictEqual(await serverPid(pool), null);
  },
});

Deno.test({
  name: "a pool that was removed under an open tc run gets no server",
  ignore: needs("scripts"),
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, QUIET);
    const folder = pool.folder.join("bin");
    await Deno.mkdir(folder);
    const mark = pool.folder.join("go-on");
    await Deno.writeTextFile(
      `${folder}/claude`,
      `#!/bin/sh\nwhile [ ! -e '${mark}' ]; do sleep 0.1; done\n`,
      { mode: 0o755 },
    );
    const env = { PATH: `${folder}:${Deno.env.get("PATH")}` };
    const run = pool.command(["run"], { env }).spawn();
    const end = run.output();
    const pid = await until("server", () => serverPid(pool));
    await new Promise((wake) => setTimeout(wake, 1_000));
    const config = pool.folder.join(".config");
    const away = pool.folder.join("config-away");
    await Deno.rename(config, away);
    Deno.kill(pid, "SIGKILL");
    await new Promise((wake) => setTimeout(wake, 2_500));
    // A server with the defaults would have made a key of its own.
    strictEqual(await Deno.stat(config).catch(() => null), null);
    await Deno.rename(away, config);
    strictEqual(await serverPid(pool), null);
    await Deno.writeTextFile(mark, "");
    strictEqual((await end).code, 0);
  },
});

Deno.test({
  name:
    "tc env starts the server that its exports lead to, or says that none runs",
  ignore: needs("scripts"),
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, QUIET);
    const asked = await pool.tc(["env", "--json"]);
    match(asked.stderr, /no server runs on http/);
    strictEqual(await serverPid(pool), null);
    const { code, stdout, stderr } = await pool.tc(["env", "--shell", "sh"]);
    strictEqual(code, 0, stderr);
    match(stderr, /started a server in the background/);
    ok(await serverPid(pool) !== null);
    // The exports as a shell reads them: two lines in one value.
    const shell = await new Deno.Command("sh", {
      args: [
        "-c",
        `${stdout}\nprintf '%s|' "$ANTHROPIC_BASE_URL" "$ANTHROPIC_CUSTOM_HEADERS"`,
      ],
      stderr: "inherit",
    }).output();
    const key = (await pool.baseUrl()).split("/k/")[1];
    strictEqual(
      new TextDecoder().decode(shell.stdout),
      `http://127.0.0.1:${pool.port}|x-tc-key: ${key}|`,
    );
  },
});

Deno.test({
  name: "a server that cannot start shows its own words, not the old log's",
  ignore: needs("scripts"),
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, QUIET);
    const folder = pool.folder.join("bin");
    await Deno.mkdir(folder);
    await Deno.writeTextFile(`${folder}/claude`, "#!/bin/sh\n", {
      mode: 0o755,
    });
    await Deno.mkdir(pool.paths.stateFolder, { recursive: true });
    await Deno.writeTextFile(
      `${pool.paths.stateFolder}/server.log`,
      "an old line\n".repeat(20),
    );
    const { code, stderr } = await pool.tc(["run"], {
      PATH: `${folder}:${Deno.env.get("PATH")}`,
      // Nobody may listen there.
      TC_PROXY_HOST: "192.0.2.1",
    });
    ok(code !== 0);
    match(stderr, /Cannot start the server: it ended with code/);
    match(stderr, /Cannot listen|cannot assign|address/i);
    ok(!stderr.includes("an old line"), stderr);
  },
});

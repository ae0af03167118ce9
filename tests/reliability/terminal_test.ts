/** Streams and terminals that are closed, stalled or gone, and signals (K13). */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { answersAfterMs } from "../fixtures/listening.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";
import { trials } from "../fixtures/trials.ts";
import { needs } from "../fixtures/skipped.ts";

const SIGNALS = trials(40, 400);
/** More than a pipe holds, in lines of the log. */
const HANG_MS = 20_000;
const LOG_LINES = trials(600, 3_000);

async function serves(baseUrl: string, count = 1): Promise<void> {
  for (let number = 0; number < count; number++) {
    const answer = await fetch(`${baseUrl}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: messageBody({ text: "demo:say ok" }),
    });
    strictEqual(answer.status, 200, await answer.text());
  }
}

/** A pool with a fake provider whose account serves without end. */
class Stage implements AsyncDisposable {
  readonly #api: Awaited<ReturnType<typeof startScriptedApi>>;
  readonly pool: TcPool;

  private constructor(
    api: Awaited<ReturnType<typeof startScriptedApi>>,
    pool: TcPool,
  ) {
    this.#api = api;
    this.pool = pool;
  }

  static async open(): Promise<Stage> {
    const api = await startScriptedApi();
    const limits = { concurrency: 1_000, requestsPerMinute: 1_000_000 };
    api.account("work", { tier: "max_20x" }).limits(limits);
    const pool = await TcPool.of(api, { usage: { poll: false } });
    // It makes the key, and starts no server.
    strictEqual((await pool.tc(["status"])).code, 3);
    return new Stage(api, pool);
  }

  /** A shell line in which `"$@"` is tc. */
  shell(line: string): Deno.Command {
    return new Deno.Command("/bin/sh", {
      args: ["-c", line, ...tcCommand().slice(0, 1), ...tcCommand()],
      clearEnv: true,
      env: this.pool.variables,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool[Symbol.asyncDispose]();
    await this.#api[Symbol.asyncDispose]();
  }
}

const IGNORE = needs("signals");

for (
  const [name, line] of [
    ["closed from its start", 'exec "$@" server <&- >&- 2>&-'],
    ["to a reader that left", 'exec "$@" server 2>&1 | true'],
  ]
) {
  Deno.test({
    name: `a server lives, its streams ${name}`,
    ignore: IGNORE,
    fn: async () => {
      await using stage = await Stage.open();
      const { pool } = stage;
      const server = stage.shell(line ?? "").output();
      await answersAfterMs(pool.port);
      const baseUrl = await pool.baseUrl();
      await serves(baseUrl, 5);
      const { pid } = await (await fetch(`${baseUrl}/healthz`)).json();
      for (let count = 0; count < SIGNALS; count++) Deno.kill(pid, "SIGPIPE");
      await serves(baseUrl, 5);
      const status = await pool.tc(["status"]);
      strictEqual(status.code, 0, status.stderr);
      const stop = await pool.tc(["stop"]);
      strictEqual(stop.code, 0, stop.stderr);
      strictEqual(new TextDecoder().decode((await server).stderr), "");
    },
  });
}

Deno.test({
  name: "a server waits for no reader of its log, and ends when it is told",
  ignore: IGNORE,
  fn: async () => {
    await using stage = await Stage.open();
    const { pool } = stage;
    const server = pool.command(["server"], { stdout: "null" }).spawn();
    await answersAfterMs(pool.port);
    // Nobody reads what it says; a pipe holds 64 KiB.
    await serves(await pool.baseUrl(), LOG_LINES);
    const status = await pool.tc(["status"]);
    strictEqual(status.code, 0, status.stderr);
    server.kill("SIGTERM");
    const over = new AbortController();
    const ended = await Promise.race([
      server.status.then(({ code }) => code),
      realClock.sleep(HANG_MS, over.signal).then(() => "it hangs", () => ""),
    ]);
    over.abort();
    await server.stderr.cancel();
    strictEqual(ended, 0);
  },
});

Deno.test({
  name: "a server lives through storms of SIGHUP, SIGWINCH and SIGPIPE",
  ignore: IGNORE,
  fn: async () => {
    await using stage = await Stage.open();
    const { pool } = stage;
    const log = pool.folder.join("server.log");
    const server = pool.command(["server", "--log-file", log], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    await answersAfterMs(pool.port);
    const baseUrl = await pool.baseUrl();
    for (let count = 0; count < SIGNALS; count++) {
      for (const signal of ["SIGHUP", "SIGWINCH", "SIGPIPE"] as const) {
        server.kill(signal);
      }
      if (count % 10 === 0) await serves(baseUrl);
    }
    await serves(baseUrl, 3);
    const status = await pool.json(["status"]);
    deepStrictEqual(status["notices"], []);
    ok(!/ error /.test(await Deno.readTextFile(log)));
    strictEqual((await pool.tc(["stop"])).code, 0);
    strictEqual((await server.status).code, 0);
  },
});

/** Commands that print more or less, each into a pipe that closes early. */
const PRINTING = [
  "status",
  "status --json",
  "help",
  "--version",
  "man",
  "completion bash",
  "config show",
  "report day",
  "doctor --json",
  "no-such-command",
];

Deno.test({
  name: "what is printed into a pipe that has closed ends without a word",
  ignore: IGNORE,
  fn: async () => {
    await using stage = await Stage.open();
    const { pool } = stage;
    const server = pool.command(["server"], { stdout: "null", stderr: "null" })
      .spawn();
    await answersAfterMs(pool.port);
    for (const words of PRINTING) {
      // The reader has gone before the first byte, and takes all fault words.
      const line = `{ "$@" ${words} 2>&3 3>&-; echo "code $?" >&3; } | true`;
      const { stderr } = await stage.shell(`exec 3>&2; ${line}`).output();
      const said = new TextDecoder().decode(stderr);
      match(said, /code \d+\n$/, words);
      ok(!/roken pipe|\n\s+at |Uncaught|bug in tc/.test(said), said);
      const isFine = words !== "no-such-command" && !words.startsWith("doctor");
      if (isFine) strictEqual(said, "code 0\n", words);
    }
    const { stdout, stderr } = await stage.shell('"$@" status | head -1')
      .output();
    strictEqual(new TextDecoder().decode(stdout).split("\n").length, 2);
    strictEqual(new TextDecoder().decode(stderr), "");
    strictEqual((await pool.tc(["stop"])).code, 0);
    await server.status;
  },
});

Deno.test({
  name: "a server with the Deck lives on when its terminal is gone",
  ignore: IGNORE || !hasTmux(),
  fn: async () => {
    await using stage = await Stage.open();
    const { pool } = stage;
    const terminal = await Tmux.open({
      columns: 100,
      rows: 30,
      variables: pool.variables,
    });
    await terminal.type(`exec ${tcCommand().join(" ")} server`);
    await answersAfterMs(pool.port);
    const baseUrl = await pool.baseUrl();
    await serves(baseUrl, 2);
    await terminal[Symbol.asyncDispose]();
    await realClock.sleep(500);
    await serves(baseUrl, 3);
    strictEqual((await pool.tc(["stop"])).code, 0);
  },
});

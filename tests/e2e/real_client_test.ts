/** The real Claude Code, through tc, on a pool of the fake provider's accounts. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { whyNoClaude } from "../fixtures/claude_code.ts";
import { ClientStage, QUIET } from "../fixtures/client_stage.ts";
import type { ProcessEnd } from "../fixtures/tc_process.ts";

const WHY_NOT = whyNoClaude();
const SECOND_MS = 1_000;

function clientTest(name: string, body: () => Promise<void>): void {
  Deno.test({
    name: WHY_NOT === null ? name : `${name} (skipped: ${WHY_NOT})`,
    ignore: WHY_NOT !== null,
    fn: body,
  });
}

function assertRun(run: ProcessEnd, stdout: RegExp): void {
  strictEqual(run.code, 0, `${run.stderr}\n${run.stdout}`);
  match(run.stdout, stdout);
}

clientTest("tc run starts the server and answers a print turn", async () => {
  await using stage = await ClientStage.open();
  const run = await stage.run(["-p", "demo:say Good morning"]);
  assertRun(run, /^Good morning\s*$/);
  match(run.stderr, /started a server in the background/);
  const [request] = stage.messages();
  strictEqual(stage.messages().length, 1);
  ok(request?.account);
  // No login of its own: the 1-hour cache is asked for on its behalf.
  ok((request.usage.cacheWrite1h ?? 0) > 1_000);
});

clientTest("a tool turn and --continue stay on one account", async () => {
  await using stage = await ClientStage.open();
  const tool = await stage.run([
    "-p",
    "demo:tool Bash echo tool-$((40+2))",
  ]);
  assertRun(tool, /The tool said: tool-42/);
  assertRun(await stage.run(["-p", "demo:say two", "--continue"]), /^two/);
  const requests = stage.messages();
  strictEqual(requests.length, 3);
  strictEqual(new Set(requests.map(({ account }) => account)).size, 1);
  strictEqual(new Set(requests.map(({ session }) => session)).size, 1);
  ok((requests[2]?.usage.cacheRead ?? 0) > 1_000, "the cache was lost");
});

clientTest("a spent account in mid-session is not noticed", async () => {
  await using stage = await ClientStage.open();
  assertRun(await stage.run(["-p", "demo:say one"]), /^one/);
  const first = stage.messages()[0]?.account ?? "";
  stage.api.account(first).windows({ "5h": 1 })
    .resetIn("5h", 3_600 * SECOND_MS);
  const run = await stage.run(["-p", "demo:say two", "--continue"]);
  assertRun(run, /^two\s*$/);
  const [, refused, served] = stage.messages();
  strictEqual(refused?.status, 429);
  strictEqual(refused?.account, first);
  strictEqual(served?.status, 200);
  ok(served?.account !== first);
  strictEqual(stage.messages().length, 3, "the client tried again");
});

clientTest("with all accounts spent a turn is held and served", async () => {
  await using stage = await ClientStage.open({
    ...QUIET,
    hold: { silentMs: 2_000, pingMs: 2_000 },
  });
  for (const account of stage.api.accounts()) {
    account.windows({ "5h": 1 }).resetIn("5h", 20 * SECOND_MS);
  }
  const startedMs = performance.now();
  const run = await stage.run(["-p", "demo:say At last"]);
  assertRun(run, /^At last\s*$/);
  ok(performance.now() - startedMs > 15 * SECOND_MS, "nothing was held");
  const accepted = stage.messages().filter(({ isAccepted }) => isAccepted);
  strictEqual(accepted.length, 1);
  const sessions = new Set(stage.messages().map(({ session }) => session));
  strictEqual(sessions.size, 1);
});

clientTest("a client that is killed ends the upstream's answer", async () => {
  await using stage = await ClientStage.open();
  assertRun(await stage.run(["-p", "demo:say warm"]), /^warm/);
  stage.api.set({ tokensPerSecond: 20 });
  const child = stage.pool.command([
    "run",
    "--",
    "--dangerously-skip-permissions",
    "-p",
    "demo:tokens 4000",
  ], {
    env: stage.variables(),
    cwd: stage.claude.project,
    stdout: "null",
    stderr: "null",
  }).spawn();
  await until(() => stage.messages()[1]?.status === 200);
  await new Promise((wake) => setTimeout(wake, 500));
  child.kill("SIGTERM");
  await child.status;
  const goneAtMs = performance.now();
  await until(() => stage.messages()[1]?.ending !== null);
  const tookMs = performance.now() - goneAtMs;
  strictEqual(stage.messages()[1]?.ending, "client_gone");
  ok(tookMs < 250, `it took ${tookMs} ms`);
});

clientTest(
  "a client with its own token or login keeps it to itself",
  async () => {
    await using stage = await ClientStage.open();
    const stranger = "sk-ant-oat01-FAKE-its-own-login";
    assertRun(
      await stage.run(["-p", "demo:say one"], {
        ANTHROPIC_AUTH_TOKEN: "somebody-elses-token",
      }),
      /^one/,
    );
    await Deno.mkdir(stage.configFolder, { recursive: true });
    const login = JSON.stringify({
      claudeAiOauth: {
        accessToken: stranger,
        refreshToken: "sk-ant-ort01-FAKE-its-own-login",
        expiresAt: Date.now() + 8 * 3_600 * SECOND_MS,
        scopes: ["user:inference", "user:profile"],
        subscriptionType: "max",
      },
    });
    const file = join(stage.configFolder, ".credentials.json");
    await Deno.writeTextFile(file, login, { mode: 0o600 });
    assertRun(await stage.run(["-p", "demo:say two"]), /^two/);
    for (const { headers, account, token } of stage.messages()) {
      ok(account !== null && token !== null);
      const text = JSON.stringify(headers);
      ok(!text.includes(stranger) && !text.includes("somebody-elses-token"));
      strictEqual(
        headers.filter(([name]) => name === "authorization").length,
        1,
      );
    }
    strictEqual(await Deno.readTextFile(file), login);
  },
);

clientTest(
  "refusals of the pool's accounts never log the client out of its own login",
  async () => {
    for (
      const refusal of ["expired", "revoked_403", "forbidden"] as const
    ) {
      await using stage = await ClientStage.open();
      await Deno.mkdir(stage.configFolder, { recursive: true });
      const file = join(stage.configFolder, ".credentials.json");
      const login = JSON.stringify({
        claudeAiOauth: {
          accessToken: "sk-ant-oat01-FAKE-its-own-login",
          refreshToken: "sk-ant-ort01-FAKE-its-own-login",
          expiresAt: Date.now() + 8 * 3_600 * SECOND_MS,
          scopes: ["user:inference", "user:profile"],
          subscriptionType: "max",
        },
      });
      await Deno.writeTextFile(file, login, { mode: 0o600 });
      // One account refuses for good: another one serves.
      stage.api.next("work").times(50).fail(refusal);
      assertRun(await stage.run(["-p", "demo:say one"]), /^one/);
      // All of them refuse: the client hears of it, and keeps its login.
      for (const name of ["home", "spare"]) {
        stage.api.next(name).times(50).fail(refusal);
      }
      const end = await stage.run(["-p", "demo:say two"], {
        CLAUDE_CODE_MAX_RETRIES: "0",
      });
      ok(end.code !== 0, end.stdout);
      ok(
        !/run \/login|not logged in|\b40[13]\b/i.test(end.stdout),
        `${refusal}: ${end.stdout}`,
      );
      strictEqual(await Deno.readTextFile(file), login, refusal);
    }
  },
);

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 60 * SECOND_MS;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error("It never came true");
    await new Promise((wake) => setTimeout(wake, 5));
  }
}

clientTest(
  "tc run --socket answers by the Unix socket, the port untouched",
  async () => {
    await using stage = await ClientStage.open();
    const client = [
      "--dangerously-skip-permissions",
      "-p",
      "demo:say By socket",
    ];
    const run = await stage.pool.tc(
      ["run", "--socket", "--", ...client],
      // The base URL that tc sets names no port: only the socket leads anywhere.
      { ...stage.variables() },
      stage.claude.project,
    );
    assertRun(run, /^By socket\s*$/);
    ok(!/no Unix socket/.test(run.stderr), run.stderr);
    strictEqual(stage.messages().length, 1);
    const socket = join(stage.pool.paths.stateFolder, "tc.sock");
    strictEqual(((await Deno.stat(socket)).mode ?? 0) & 0o777, 0o600);
  },
);

clientTest(
  "tc run --socket without a socket goes by the port and says why",
  async () => {
    await using stage = await ClientStage.open();
    const run = await stage.pool.tc(
      ["run", "--socket", "--", "--version"],
      { ...stage.variables(), TC_PROXY_SOCKET: "false" },
      stage.claude.project,
    );
    strictEqual(run.code, 0, run.stderr);
    match(run.stderr, /no Unix socket .*using the port/);
  },
);

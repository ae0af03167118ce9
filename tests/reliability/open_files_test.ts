/** More clients than files may be open (K7). */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import {
  mayDump,
  raisedStart,
  wantedLimit,
  withOpenFiles,
} from "../../src/system/open_files.ts";
import { numbered } from "../fixtures/demo_plane.ts";
import { checkLedger } from "../fixtures/ledger_check.ts";
import { answersAfterMs } from "../fixtures/listening.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";
import { needs, needsLinux } from "../fixtures/skipped.ts";

const FILES_MAX = 64;
const CLIENTS = trials(150, 500);
const BACK_MS_MAX = 30_000;

/** A server that may have so many files open, soft and hard. */
function limited(pool: TcPool): Deno.ChildProcess {
  const [program, ...first] = tcCommand();
  const script = `ulimit -n ${FILES_MAX}; exec "$0" "$@"`;
  return new Deno.Command("/bin/sh", {
    args: ["-c", script, program, ...first, "server", "--headless"],
    clearEnv: true,
    env: pool.variables,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** The status of a message on a connection of its own; null: no answer. */
async function statusOf(baseUrl: string, text: string): Promise<number | null> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  try {
    const answer = await fetch(`${baseUrl}/v1/messages`, {
      client,
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-demo-nonce": crypto.randomUUID(),
      },
      body: messageBody({ text }),
    });
    await answer.text();
    return answer.status;
  } catch {
    return null;
  }
}

/** Connections that say nothing; those that were refused are not among them. */
async function silent(port: number): Promise<Deno.TcpConn[]> {
  const open: Deno.TcpConn[] = [];
  for (let number = 0; number < CLIENTS; number++) {
    try {
      open.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    } catch {
      // The server has no file left for it.
    }
  }
  return open;
}

/** How long until requests are served again. */
async function backAfterMs(baseUrl: string): Promise<number> {
  const startedMs = performance.now();
  while (await statusOf(baseUrl, "demo:say ok") !== 200) {
    const tookMs = performance.now() - startedMs;
    ok(tookMs < BACK_MS_MAX, "it does not serve again");
    await realClock.sleep(50);
  }
  return Math.round(performance.now() - startedMs);
}

async function poolOf(api: ScriptedApi): Promise<TcPool> {
  const limits = { concurrency: 1_000, requestsPerMinute: 1_000_000 };
  api.account("work", { tier: "max_20x" }).limits(limits);
  return await TcPool.of(api, { usage: { poll: false } });
}

Deno.test({
  name:
    `${CLIENTS} clients where ${FILES_MAX} files may be open: it lives, and recovers`,
  ignore: needs("scripts"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await poolOf(api);
    const server = limited(pool);
    const log = new Response(server.stderr).text();
    await answersAfterMs(pool.port);
    const baseUrl = await pool.baseUrl();
    strictEqual(await statusOf(baseUrl, "demo:say ok"), 200);

    const connections = await silent(pool.port);
    for (const connection of connections) connection.close();
    const idleMs = await backAfterMs(baseUrl);

    const statuses = await Promise.all(
      numbered(CLIENTS, () => statusOf(baseUrl, "demo:say ok")),
    );
    const counted = Object.groupBy(statuses, (status) => String(status));
    // Served, told that there is no way on or to come later, or not let in.
    const known = [200, 429, 502, 503, null];
    deepStrictEqual(statuses.filter((one) => !known.includes(one)), []);
    const busyMs = await backAfterMs(baseUrl);

    // A login that is renewed is saved, and so are settings and the ledger.
    api.account("work").expire();
    strictEqual(await statusOf(baseUrl, "demo:say ok"), 200);
    const { entries, damaged } = await (await pool.vault()).list();
    deepStrictEqual(damaged, []);
    const [saved] = entries;
    ok(saved?.credential.kind === "oauth");
    ok(saved.credential.accessToken.reveal() === api.account("work").token());
    const set = await pool.tc(["config", "set", "log.level", "info"]);
    strictEqual(set.code, 0, set.stderr);
    const renamed = await pool.tc(["rename", "work", "office"]);
    strictEqual(renamed.code, 0, renamed.stderr);
    strictEqual((await pool.tc(["stop"])).code, 0);
    strictEqual((await server.status).code, 0);
    await log;
    const ledger = checkLedger(pool.paths.stateFolder);
    strictEqual(ledger.output, api.truth().total.reported.output);
    deepStrictEqual([api.families().reuses, api.families().killed], [0, 0]);
    const sends = [...api.acceptedPerNonce().values()];
    deepStrictEqual(sends.filter((count) => count !== 1), []);
    const figures = Object.entries(counted)
      .map(([status, all]) => `${all?.length} × ${status}`).join(", ");
    report(
      `${CLIENTS} clients, ${FILES_MAX} files: ${connections.length} silent` +
        ` ones let in, back ${idleMs} ms after; at once: ${figures}, back` +
        ` ${busyMs} ms after`,
    );
  },
});

Deno.test("wantedLimit() asks for what the system gives, and no more", () => {
  const limits = (soft: string, hard: string) =>
    "Limit                     Soft Limit           Hard Limit           Units\n" +
    `Max open files            ${soft}                 ${hard}                files\n`;
  strictEqual(wantedLimit(limits("1024", "524288")), 65_536);
  strictEqual(wantedLimit(limits("1024", "4096")), 4_096);
  strictEqual(wantedLimit(limits("256", "unlimited")), 65_536);
  strictEqual(wantedLimit(limits("65536", "524288")), null);
  strictEqual(wantedLimit(limits("64", "64")), null);
  strictEqual(wantedLimit("something else"), null);
});

/** The soft limit of a process. */
async function limitOf(pid: number): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/limits`);
  return Number(/^Max open files\s+(\d+)/m.exec(text)?.[1]);
}

Deno.test({
  name: "a server in the background may have as many files as the system gives",
  ignore: needsLinux("limits"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await poolOf(api);
    const bin = pool.folder.join("bin");
    await Deno.mkdir(bin);
    await Deno.writeTextFile(`${bin}/claude`, "#!/bin/sh\n", { mode: 0o755 });
    const [program, ...first] = tcCommand();
    const script = 'ulimit -Sn 128; ulimit -c unlimited; exec "$0" "$@"';
    const { code } = await new Deno.Command("/bin/sh", {
      args: ["-c", script, program, ...first, "run"],
      clearEnv: true,
      env: { ...pool.variables, PATH: `${bin}:${pool.variables["PATH"]}` },
      stdin: "null",
    }).output();
    strictEqual(code, 0);
    const { pid } = await (await fetch(`${await pool.baseUrl()}/healthz`))
      .json();
    ok(await limitOf(pid) >= Math.min(4_096, await limitOf(Deno.pid)));
    const limits = await Deno.readTextFile(`/proc/${pid}/limits`);
    strictEqual(mayDump(limits), false, "a core dump would hold every token");
  },
});

Deno.test({
  name: "a server in the foreground makes no core dump either",
  ignore: needsLinux("limits"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await poolOf(api);
    const [program, ...first] = tcCommand();
    const server = new Deno.Command("/bin/sh", {
      args: [
        "-c",
        'ulimit -c unlimited; exec "$0" "$@"',
        program,
        ...first,
        "server",
        "--headless",
      ],
      clearEnv: true,
      env: pool.variables,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await answersAfterMs(pool.port);
    const limits = await Deno.readTextFile(`/proc/${server.pid}/limits`);
    strictEqual(mayDump(limits), false);
    strictEqual((await pool.tc(["stop"])).code, 0);
    await server.status;
  },
});

for (
  const [system, files, environment, isRaised] of [
    ["darwin", 256, {}, true],
    ["darwin", 10_240, {}, false],
    ["darwin", 256, { TC_FILES_RAISED: "1" }, false],
    ["darwin", null, {}, false],
    ["linux", 256, {}, false],
    ["windows", 256, {}, false],
  ] as const
) {
  Deno.test(`a foreground server on ${system} with ${files} files and ${Object.keys(environment)} starts again: ${isRaised}`, () => {
    const start = raisedStart(["tc", "server"], { system, files, environment });
    strictEqual(start !== null, isRaised);
    if (start === null) return;
    deepStrictEqual(start.command.slice(-2), ["tc", "server"]);
    const again = { ...environment, ...start.variables };
    strictEqual(
      raisedStart(["tc"], { system, files, environment: again }),
      null,
    );
  });
}

Deno.test({
  name: "what is started with more files has them",
  ignore: needs("scripts"),
  fn: async () => {
    const raised = withOpenFiles(["/bin/sh", "-c", "ulimit -Sn"], "darwin");
    const { stdout } = await new Deno.Command("/bin/sh", {
      args: ["-c", 'ulimit -Sn 256; exec "$0" "$@"', ...raised],
    }).output();
    const files = Number(new TextDecoder().decode(stdout));
    ok(files >= 1_024, String(files));
  },
});

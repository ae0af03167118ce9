/**
 * Another user of the machine connects without the key, again and again, to a
 * server that may have 256 files open, while the owner works.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { answersAfterMs } from "../fixtures/listening.ts";
import { report } from "../fixtures/report.ts";
import { tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";
import { needsLinux } from "../fixtures/skipped.ts";

const FILES_MAX = 256;
const IDLE = trials(600, 2_000);
const HALF_HEADS = trials(600, 3_000);
/** What one stranger keeps open at a time; the server closes most of them. */
const AT_ONCE = 300;
const HEAD_BYTES = 240_000;
const WORKERS = 4;
const PAUSE_MS = 50;
const MEMORY_MAX = 200 * 1024 * 1024;

const encoder = new TextEncoder();

/** A server with a limit on files that it cannot raise. */
function limited(pool: TcPool): Deno.ChildProcess {
  const [program, ...first] = tcCommand();
  const script = `ulimit -n ${FILES_MAX}; exec "$0" "$@"`;
  return new Deno.Command("/bin/sh", {
    args: ["-c", script, program, ...first, "server", "--headless"],
    clearEnv: true,
    env: pool.variables,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** Opens `count` connections that send `bytes` each; keeps the last of them. */
async function strangers(
  port: number,
  count: number,
  bytes: number,
): Promise<void> {
  const half = encoder.encode(
    `GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-a: ${"a".repeat(bytes)}`,
  );
  const open: Deno.TcpConn[] = [];
  for (let number = 0; number < count; number++) {
    try {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      open.push(connection);
      // A server that stops reading must not stop the stranger.
      if (bytes > 0) connection.write(half).catch(() => {});
    } catch {
      // The server had no room for it.
    }
    if (open.length > AT_ONCE) close(open.shift());
  }
  for (const connection of open) close(connection);
}

function close(connection: Deno.TcpConn | undefined): void {
  try {
    connection?.close();
  } catch {
    // The server was first.
  }
}

/** One request of the owner on a connection of its own. */
async function ask(baseUrl: string): Promise<number> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const answer = await fetch(`${baseUrl}/v1/messages`, {
    client,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: messageBody({ text: "demo:say ok" }),
  });
  await answer.text();
  return answer.status;
}

/** Asks until `isOver`; returns the status or error of each request. */
async function work(
  baseUrl: string,
  isOver: () => boolean,
): Promise<readonly string[]> {
  const seen: string[] = [];
  while (!isOver()) {
    seen.push(await ask(baseUrl).then(String, (cause) => String(cause)));
    // Real work pauses; without pauses its own memory would be measured.
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return seen;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}

/** The most that the process has held so far. */
async function memoryOf(pid: number): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(text)?.[1] ?? "0") * 1024;
}

async function poolOf(api: ScriptedApi): Promise<TcPool> {
  const limits = { concurrency: 1_000, requestsPerMinute: 1_000_000 };
  api.account("work", { tier: "max_20x" }).limits(limits);
  return await TcPool.of(api, { usage: { poll: false } });
}

Deno.test({
  name:
    `${IDLE} silent connections and ${HALF_HEADS} half heads cost the owner no request`,
  ignore: needsLinux("limits"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await poolOf(api);
    const server = limited(pool);
    await answersAfterMs(pool.port);
    const baseUrl = await pool.baseUrl();
    let isOver = false;
    const workers = Array.from(
      { length: WORKERS },
      () => work(baseUrl, () => isOver),
    );
    const before = await memoryOf(server.pid);
    await strangers(pool.port, IDLE, 0);
    await strangers(pool.port, HALF_HEADS, HEAD_BYTES);
    // A login is renewed and saved in the middle of it.
    api.account("work").expire();
    await strangers(pool.port, HALF_HEADS, 50_000);
    isOver = true;
    const seen = (await Promise.all(workers)).flat();
    const memory = await memoryOf(server.pid);
    deepStrictEqual(seen.filter((one) => one !== "200"), []);
    ok(seen.length >= WORKERS, `${seen.length} requests`);
    const { entries } = await (await pool.vault()).list();
    const [saved] = entries;
    ok(saved?.credential.kind === "oauth");
    ok(saved.credential.accessToken.reveal() === api.account("work").token());
    ok(
      memory <= MEMORY_MAX,
      `${megabytes(memory)} MB at most, ${megabytes(before)} before`,
    );
    strictEqual((await pool.tc(["stop"])).code, 0);
    await server.status;
    report(
      `${IDLE} silent, ${2 * HALF_HEADS} half heads, ${FILES_MAX} files:` +
        ` ${seen.length} requests of the owner, 0 lost,` +
        ` ${megabytes(memory)} MB at most, ${megabytes(before)} before`,
    );
  },
});

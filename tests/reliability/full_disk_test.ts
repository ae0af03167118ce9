/** Disks that are full, and folders that go while the server runs (K6). */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import type { StatusView } from "../../src/control/protocol.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { checkLedger } from "../fixtures/ledger_check.ts";
import { answersAfterMs } from "../fixtures/listening.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { canMount, SmallDisk } from "../fixtures/mounts.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";

const REQUESTS = trials(20, 400);
const WAIT_MS_MAX = 20_000;

/** Sends so many messages, each on its own; every one must be served. */
async function serves(baseUrl: string, count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    const answer = await fetch(`${baseUrl}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: messageBody({ text: "demo:say ok" }),
    });
    strictEqual(answer.status, 200, await answer.text());
  }
}

async function poolOf(api: ScriptedApi, more: object = {}): Promise<TcPool> {
  const limits = { concurrency: 1_000, requestsPerMinute: 1_000_000 };
  api.account("work", { tier: "max_20x" }).limits(limits);
  const pool = await TcPool.of(api, { usage: { poll: false }, ...more });
  // It makes the key, and starts no server.
  strictEqual((await pool.tc(["status"])).code, 3);
  return pool;
}

async function eventually(
  isTrue: () => Promise<boolean>,
  what: string,
): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!await isTrue()) {
    ok(performance.now() < deadline, `never: ${what}`);
    await realClock.sleep(50);
  }
}

async function notices(pool: TcPool): Promise<string> {
  const status = await pool.json(["status"]) as unknown as StatusView;
  return status.notices.map(({ text }) => text).join("\n");
}

/** Whether the login on disk is the newest; throws where it cannot be read. */
async function isSaved(pool: TcPool, api: ScriptedApi): Promise<boolean> {
  const { entries, damaged } = await (await pool.vault()).list();
  deepStrictEqual(damaged, []);
  const [entry] = entries;
  ok(entry?.credential.kind === "oauth", "the vault has lost the login");
  return entry.credential.accessToken.reveal() === api.account("work").token();
}

/** A disk of its own at `folder`, with what was there. */
async function diskAt(folder: string, size: string): Promise<SmallDisk> {
  await Deno.mkdir(folder, { recursive: true });
  const aside = `${folder}.aside`;
  const copy = (from: string, to: string) =>
    new Deno.Command("cp", { args: ["-a", `${from}/.`, to] }).output();
  await Deno.mkdir(aside);
  await copy(folder, aside);
  const disk = new SmallDisk(folder, size);
  await copy(aside, folder);
  return disk;
}

Deno.test({
  name: "full disks: it serves on, says what is lost, and saves it when it can",
  // Needs the right to mount a small tmpfs.
  ignore: !canMount(),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await poolOf(api);
    const { stateFolder, secretsFolder } = pool.paths;
    using states = await diskAt(stateFolder, "4m");
    using secrets = await diskAt(secretsFolder, "1m");
    const log = join(stateFolder, "server.log");
    const exchanges = join(stateFolder, "exchanges");
    const server = pool.command(
      ["server", "--log-file", log, "--log-to", exchanges],
      { stdout: "null", stderr: "null" },
    ).spawn();
    await answersAfterMs(pool.port);
    const baseUrl = await pool.baseUrl();
    await serves(baseUrl, 3);
    await realClock.sleep(700);

    states.fill();
    secrets.fill();
    await serves(baseUrl, REQUESTS);
    // The newest login is in memory alone: it serves, and is told of.
    api.account("work").expire();
    await serves(baseUrl, REQUESTS);
    strictEqual(await isSaved(pool, api), false);
    await eventually(async () => {
      const text = await notices(pool);
      return /state\.db.* in memory: \d+/.test(text) &&
        /^The log cannot/m.test(text) &&
        /^Exchanges cannot/m.test(text) && /login of work/.test(text);
    }, "all four told");
    const told = await notices(pool);
    const doctor = await pool.tc(["doctor"]);
    match(doctor.stdout, /login of work cannot be saved/);
    const printed = await pool.tc(["status"]);
    match(printed.stdout + printed.stderr, /The log cannot be written/);

    states.free();
    secrets.free();
    await eventually(() => isSaved(pool, api), "the login saved late");
    await serves(baseUrl, 2);
    await eventually(
      async () => !/login of|^The log|^Exchanges/m.test(await notices(pool)),
      "no notice of them any more",
    );
    strictEqual((await pool.tc(["stop"])).code, 0);
    strictEqual((await server.status).code, 0);

    match(await Deno.readTextFile(log), /^\d+ log lines? could not be/m);
    const { output, rows } = checkLedger(stateFolder);
    const { total } = api.truth();
    deepStrictEqual([rows, output], [total.requests, total.reported.output]);
    for await (const { name } of Deno.readDir(exchanges)) {
      match(await Deno.readTextFile(join(exchanges, name)), /"?end_turn"?|200/);
    }
    deepStrictEqual([api.families().reuses, api.families().killed], [0, 0]);

    // Nor does a full disk keep a server from its work.
    states.fill();
    secrets.fill();
    const late = pool.command(["server", "--log-file", log], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    await answersAfterMs(pool.port);
    await serves(baseUrl, 3);
    strictEqual((await pool.tc(["stop"])).code, 0);
    strictEqual((await late.status).code, 0);
    ok(await isSaved(pool, api));
    report(
      `told while the disks were full:\n      ${
        told.replaceAll(pool.folder.path, "~").replaceAll("\n", "\n      ")
      }`,
    );
  },
});

Deno.test("folders of the logs that go while it runs are made anew", async () => {
  await using api = await startScriptedApi();
  await using pool = await poolOf(api);
  const log = pool.folder.join("logs", "server.log");
  const exchanges = pool.folder.join("exchanges");
  const server = pool.command(
    ["server", "--log-file", log, "--log-to", exchanges],
    { stdout: "null", stderr: "null" },
  ).spawn();
  await answersAfterMs(pool.port);
  const baseUrl = await pool.baseUrl();
  await serves(baseUrl, 2);
  const names = async () =>
    (await Array.fromAsync(Deno.readDir(exchanges)).catch(() => [])).length;
  await eventually(async () => await names() === 2, "two exchanges");
  await Deno.remove(pool.folder.join("logs"), { recursive: true });
  await Deno.remove(exchanges, { recursive: true });
  await eventually(async () => {
    await serves(baseUrl, 1);
    const text = await Deno.readTextFile(log).catch(() => "");
    return / request /.test(text) && await names() > 0;
  }, "log and exchanges again");
  strictEqual(await notices(pool), "");
  strictEqual((await pool.tc(["stop"])).code, 0);
  strictEqual((await server.status).code, 0);
});

/** Files that vanish, are damaged twice, or are no files at all. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { sessionTokens } from "../../src/claude/sessions/session_tokens.ts";
import { TranscriptReader } from "../../src/claude/sessions/transcript.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { readIfThere } from "../../src/store/files/atomic.ts";
import { FileLocks } from "../../src/store/files/lock.ts";
import { PrivateJson } from "../../src/store/files/private_json.ts";
import { listening } from "../fixtures/listening.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { needs } from "../fixtures/skipped.ts";

const NO_PIPES = needs("pipes");

async function served(pool: TcPool, work: () => Promise<void>): Promise<void> {
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(pool.port);
  await work();
  strictEqual((await pool.tc(["stop"])).code, 0);
  await server.status;
}

Deno.test("an account whose vault entry is deleted is named, and a removed one is not", async () => {
  await using api = await startScriptedApi();
  for (const name of ["work", "home", "spare"]) api.account(name);
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  await served(pool, async () => {
    await (await fetch(`${await pool.baseUrl()}/v1/models`)).text();
    strictEqual((await pool.tc(["remove", "spare", "--yes"])).code, 0);
  });
  const { entries } = await (await pool.vault()).list();
  const lost = entries.find(({ label }) => label === "home");
  const folder = join(pool.paths.secretsFolder, "vault");
  await Deno.remove(join(folder, `${lost?.id}.vault`));

  const doctor = await pool.tc(["doctor"]);
  match(doctor.stdout, /fail +vault +The login of home is gone/);
  ok(!/login of (work|spare)/.test(doctor.stdout), doctor.stdout);
  await served(pool, async () => {
    const status = await pool.tc(["status"]);
    match(status.stdout + status.stderr, /The login of home is gone/);
  });
});

Deno.test("an account that was removed without a server is not missed later", async () => {
  await using api = await startScriptedApi();
  for (const name of ["work", "home"]) api.account(name);
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  await served(pool, async () => {
    await (await fetch(`${await pool.baseUrl()}/v1/models`)).text();
  });
  strictEqual((await pool.tc(["remove", "home", "--yes"])).code, 0);
  const { stdout } = await pool.tc(["doctor"]);
  ok(!stdout.includes("login of home"), stdout);
});

Deno.test("each damage of a private file is kept, the first one as well", async () => {
  await using folder = new TempFolder();
  const file = folder.join("profiles.json");
  const locks = new FileLocks(folder.path, {
    clock: realClock,
    entropy: realEntropy,
  });
  const list = new PrivateJson<readonly number[]>({
    file,
    locks,
    lock: "profiles",
    empty: [],
    read: (json) => Array.isArray(json) ? json : null,
  });
  const damages = ["first damage", "second damage", "third damage"];
  for (const text of damages) {
    await Deno.writeTextFile(file, text);
    await list.update((before) => [...before, 1]);
  }
  const kept: string[] = [];
  for await (const { name } of Deno.readDir(folder.path)) {
    if (!name.includes("damaged")) continue;
    kept.push(await Deno.readTextFile(folder.join(name)));
  }
  deepStrictEqual(kept.sort(), damages);
});

Deno.test({
  name: "a pipe in place of a file is reported and never read",
  ignore: NO_PIPES,
  fn: async () => {
    await using folder = new TempFolder();
    const pipe = folder.join("pipe");
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    const error = await readIfThere(pipe).catch((cause) => cause);
    match(String(error), /it is not a regular file/);
    strictEqual(
      sessionTokens({
        transcript: pipe,
        session: "s",
        before: {},
        mayGoOn: () => true,
      }).isWhole,
      true,
    );
    deepStrictEqual(await new TranscriptReader().lastTurn([pipe]), {
      kind: "unknown",
    });

    await using api = await startScriptedApi();
    for (const name of ["work", "home"]) api.account(name);
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const [entry] = (await (await pool.vault()).list()).entries;
    const path = join(pool.paths.secretsFolder, "vault", `${entry?.id}.vault`);
    await Deno.remove(path);
    await new Deno.Command("mkfifo", { args: [path] }).output();
    const listed = await pool.tc(["accounts"]);
    strictEqual(listed.code, 0, listed.stderr);
    match(listed.stdout + listed.stderr, /it is not a regular file/);
    await Deno.remove(path);
  },
});

Deno.test("the doctor reports a state database that was set aside", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  const { stateFolder } = pool.paths;
  await Deno.mkdir(stateFolder, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(join(stateFolder, "state.db"), "no database at all");
  await served(pool, async () => {
    await (await fetch(`${await pool.baseUrl()}/v1/models`)).text();
  });
  const { stdout } = await pool.tc(["doctor"]);
  match(stdout, /warn +state +.*state\.db\.damaged-.* is set aside/);
});

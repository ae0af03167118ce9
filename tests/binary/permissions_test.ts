/**
 * The fence, proved from source or in the binary that TC_TEST_BINARY names, and
 * the grants held against what a server really uses.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EVERY_KIND, type FenceAttempt } from "../../src/server/fence.ts";
import type { Grants } from "../../src/server/permissions.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { listening } from "../fixtures/listening.ts";
import { TcPool } from "../fixtures/tc_process.ts";

interface Report {
  readonly server: Grants;
  readonly proof: {
    readonly worker: readonly FenceAttempt[];
    readonly main: readonly FenceAttempt[];
    readonly arrivals: number;
    readonly hasHeld: boolean;
  } | null;
}

async function report(pool: TcPool, args: readonly string[]): Promise<Report> {
  return await pool.json(["doctor", ...args]) as unknown as Report;
}

Deno.test("the server's thread cannot get out of its fence", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_5x" });
  await using pool = await TcPool.of(api);
  const { proof, server } = await report(pool, ["--prove"]);
  ok(proof);
  const allowed = [...proof.worker, ...proof.main].filter(({ outcome }) =>
    outcome !== "refused"
  );
  deepStrictEqual(allowed, []);
  strictEqual(proof.arrivals, 0);
  strictEqual(proof.hasHeld, true);
  const kinds = new Set(proof.worker.map(({ kind }) => kind));
  deepStrictEqual([...kinds].sort(), [...EVERY_KIND].sort());
  deepStrictEqual(
    [...new Set(proof.main.map(({ kind }) => kind))].sort(),
    ["ffi", "net", "sys"],
  );
  for (const kind of ["env", "run", "sys", "ffi", "import"] as const) {
    strictEqual(server[kind], false);
  }
});

Deno.test("the report names the very hosts and folders of the config", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const { server, proof } = await report(pool, ["--permissions"]);
  strictEqual(proof, null);
  const { host } = new URL(api.url);
  const [sockets, hosts] = [true, false].map((isSocket) =>
    server.net.filter((name) => name.startsWith("unix:") === isSocket)
  );
  deepStrictEqual(hosts?.toSorted(), [`127.0.0.1:${pool.port}`, host].sort());
  // An older base of the binary holds a socket to be a file.
  const path = `unix:${pool.paths.stateFolder}/tc.sock`;
  for (const socket of sockets ?? []) {
    strictEqual(socket, `${path}.new`);
  }
  const { configFile, secretsFolder, stateFolder } = pool.paths;
  // The config names the fence of the next worker, and the secrets' folder
  // holds commands of other programs: neither is written by this one.
  deepStrictEqual(server.write, [join(secretsFolder, "vault"), stateFolder]);
  deepStrictEqual(server.read, [...server.write, configFile]);
  for (const folder of server.read) {
    ok(folder.startsWith(pool.folder.path), folder);
  }
});

Deno.test("the fence holds where the PATH has no program at all", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const { code, stdout } = await pool.tc(["doctor", "--prove"], { PATH: "" });
  match(stdout, /All \d+ attempts were refused/);
  strictEqual(code, 0);
});

/** One access as Deno's own audit writes it (`DENO_AUDIT_PERMISSIONS`). */
interface Access {
  readonly permission: string;
  readonly value: string | null;
}

/** Compiled binaries ignore the audit, so this one is of the source alone. */
Deno.test({
  name: "the server is granted nothing that it does not use",
  ignore: Deno.env.get("TC_TEST_BINARY") !== undefined,
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work", { tier: "max_5x" });
    await using pool = await TcPool.of(api);
    const { server } = await report(pool, ["--permissions"]);
    const audit = pool.folder.join("audit.jsonl");
    const child = pool.command(["server", "--headless"], {
      env: { DENO_AUDIT_PERMISSIONS: audit },
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await listening(pool.port);
      const answer = await fetch(`${await pool.baseUrl()}/v1/models`);
      await answer.body?.cancel();
      strictEqual(answer.status, 200);
      // The server's main thread writes the change, and the worker reads it.
      strictEqual((await pool.tc(["disable", "work"])).code, 0);
    } finally {
      child.kill("SIGTERM");
      await child.status;
    }
    const accesses = readFileSync(audit, "utf8").trim().split("\n")
      .map((line): Access => JSON.parse(line));
    deepStrictEqual(unused(server, accesses), []);
  },
});

/** Grants without any access of theirs. */
function unused(server: Grants, accesses: readonly Access[]): string[] {
  const of = (kind: string) =>
    accesses.filter(({ permission }) => permission === kind)
      .map(({ value }) => value ?? "");
  return [
    ...server.net.filter((host) => !of("net").includes(host)),
    ...server.read.filter((folder) =>
      !of("read").some((path) =>
        path === folder || path.startsWith(`${folder}/`)
      )
    ),
    ...server.write.filter((folder) =>
      !of("write").some((path) => path.startsWith(`${folder}/`))
    ),
  ];
}

/**
 * Two homes, one PostgreSQL, and the server as its users have it: the executable
 * that TC_TEST_BINARY names, its permissions compiled in, or from source. The
 * connections are encrypted, where openssl can make certificates.
 */

import { match, strictEqual } from "node:assert/strict";
import type { StatusView } from "../../src/control/protocol.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { HAS_POSTGRES, Postgres } from "../fixtures/postgres.ts";
import { listening } from "../fixtures/listening.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { needs } from "../fixtures/skipped.ts";
import { hasOpenssl, makeCertificates } from "../fixtures/test_certificates.ts";
import { TcPool } from "../fixtures/tc_process.ts";

/** What another machine says, or no longer says, is known within this time. */
const NEWS_MS_MAX = 30_000;

/** Returns the address of a new database, checked by the authority `caCert`. */
async function addressOf(
  postgres: Postgres,
  { folder }: TcPool,
  caCert: string | null,
): Promise<string> {
  const url = await postgres.database();
  if (caCert === null) return url;
  const file = folder.join("ca.pem");
  await Deno.writeTextFile(file, caCert);
  return `${url}?sslmode=verify-full&sslrootcert=${file}`;
}

async function serve(pool: TcPool): Promise<Deno.ChildProcess> {
  const child = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(pool.port);
  return child;
}

async function ask(pool: TcPool): Promise<number> {
  const response = await fetch(`${await pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-demo-nonce": crypto.randomUUID(),
    },
    body: messageBody({ text: "hello" }),
  });
  await response.body?.cancel();
  return response.status;
}

async function until(
  pool: TcPool,
  check: (status: StatusView) => boolean,
): Promise<void> {
  const endAt = performance.now() + NEWS_MS_MAX;
  for (;;) {
    const status = await pool.json(["status"]) as unknown as StatusView;
    if (check(status)) return;
    if (performance.now() > endAt) {
      throw new Error(`It was not known in time: ${JSON.stringify(status)}`);
    }
    await realClock.sleep(200);
  }
}

Deno.test({
  name:
    "two servers share one PostgreSQL; one is killed, and the other renews and serves on",
  ignore: !HAS_POSTGRES || needs("signals"),
  fn: async () => {
    const certificates = hasOpenssl() ? await makeCertificates() : null;
    await using postgres = await Postgres.start({ certificates });
    await using api = await startScriptedApi();
    api.account("work", { tier: "max_5x" });
    await using desk = await TcPool.of(api);
    await using laptop = await TcPool.of(api);
    // The laptop has no login yet: it gets them from the pool.
    const own = await laptop.vault();
    for (const { id } of (await own.list()).entries) await own.remove(id);
    const made = await desk.told(
      ["store", "join", "--stdin", "--name", "desk", "--yes"],
      await addressOf(postgres, desk, certificates?.caCert ?? null),
    );
    strictEqual(made.code, 0, made.stderr);
    const { stdout: invitation } = await desk.tc(["store", "invite"]);
    const came = await laptop.told(
      ["store", "join", "--stdin", "--name", "laptop", "--yes"],
      invitation,
    );
    strictEqual(came.code, 0, came.stderr);
    match(came.stdout, /as laptop: work\./);
    const [one, other] = [await serve(desk), await serve(laptop)];
    try {
      strictEqual(await ask(desk), 200);
      strictEqual(await ask(laptop), 200);
      await until(
        laptop,
        ({ machines, accounts }) =>
          machines.filter(({ isThere }) => isThere).length === 2 &&
          accounts.some(({ windows }) => windows.length > 0),
      );
      one.kill("SIGKILL");
      await one.status;
      await until(
        laptop,
        ({ machines }) =>
          machines.some(({ name, isThere }) => name === "desk" && !isThere),
      );
      // The one that is left renews the login that the dead one had moved in.
      api.account("work").expire();
      strictEqual(await ask(laptop), 200);
      await until(laptop, ({ notices }) => notices.length === 0);
      const [renewed] = (await postgres.sql(
        "pool_1",
        "SELECT m.name FROM tc.accounts a JOIN tc.machines m " +
          "ON m.id = a.renewed_by",
      )).trim().split("\n");
      strictEqual(renewed, "laptop");
      const gone = await laptop.tc(["store", "forget", "desk", "--yes"]);
      strictEqual(gone.code, 0, gone.stderr);
      await until(laptop, ({ machines }) => machines.length === 1);
    } finally {
      other.kill("SIGTERM");
      await other.status;
    }
  },
});

/** The way to a real PostgreSQL with ssl=on and a self-made authority. */

import { match, rejects, strictEqual } from "node:assert/strict";
import { HAS_POSTGRES, Postgres } from "../../fixtures/postgres.ts";
import { PoolFolder } from "../../fixtures/pool_server.ts";
import { startScriptedApi } from "../../fixtures/scripted_api.ts";
import { TempFolder } from "../../fixtures/temp_folder.ts";
import {
  hasOpenssl,
  makeCertificates,
} from "../../fixtures/test_certificates.ts";
import {
  exposure,
  storeAddress,
  withoutAuthority,
} from "../../../src/store/shared/address.ts";
import { SharedDatabase } from "../../../src/store/shared/database.ts";

/** Returns the protocol of the connection as the server sees it, or "". */
async function protocolOf(url: string, authorities = ""): Promise<string> {
  const database = new SharedDatabase({
    address: storeAddress(url),
    authorities,
    connections: 1,
  });
  try {
    const [row] = await database.run((sql) =>
      sql<{ version: string | null }[]>`
        SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()`
    );
    return row?.version ?? "";
  } finally {
    await database.close();
  }
}

Deno.test({
  name:
    "a certificate is checked against host and authority, or says what to do",
  ignore: !HAS_POSTGRES || !hasOpenssl(),
  fn: async () => {
    const ours = await makeCertificates();
    const other = await makeCertificates(["DNS:db.example.com"]);
    await using postgres = await Postgres.start({ certificates: ours });
    const at = (host: string, query = "?sslmode=verify-full") =>
      `postgres://tc@${host}:${postgres.port}/postgres${query}`;
    for (const host of ["localhost", "127.0.0.1"]) {
      match(await protocolOf(at(host), ours.caCert), /^TLSv1/);
    }
    match(await protocolOf(at("localhost", "?sslmode=require")), /^TLSv1/);
    for (const authorities of ["", other.caCert]) {
      await rejects(() => protocolOf(at("localhost"), authorities), {
        message: /does not know who signed its certificate/,
        hint: /sslrootcert=FILE[^]*NODE_EXTRA_CA_CERTS=FILE/,
      });
    }
    await rejects(
      () => protocolOf(at("localhost", "?sslmode=disable")),
      /no encryption/,
    );
    // A certificate of the same authority for another host.
    await postgres.kill();
    await postgres.present(other);
    await postgres.begin();
    for (const host of ["localhost", "127.0.0.1"]) {
      await rejects(
        () => protocolOf(at(host), other.caCert),
        /its certificate is one for another host/,
      );
    }
  },
});

Deno.test({
  name: "a server without TLS gets no password where encryption is asked for",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using postgres = await Postgres.start();
    for (const mode of ["require", "verify-full"]) {
      await rejects(
        () =>
          protocolOf(
            `postgres://tc@localhost:${postgres.port}/postgres?sslmode=${mode}`,
          ),
        /broke off before the connection was encrypted; is TLS on there/,
      );
    }
  },
});

Deno.test("what is exposed on the way is told, except on this machine", () => {
  const told = (text: string) => exposure(storeAddress(text)) ?? "";
  strictEqual(told("postgres://db.example.com/tc"), "");
  strictEqual(told("postgres://localhost/tc"), "");
  match(told("postgres://10.0.0.2/tc?sslmode=disable"), /reads the database's/);
  match(told("postgres://10.0.0.2/tc?sslmode=require"), /nobody checks who/);
  strictEqual(told("postgres://h/tc?sslmode=require&sslrootcert=/a.pem"), "");
  strictEqual(
    withoutAuthority("postgres://localhost/tc?sslrootcert=/a.pem"),
    "postgres://localhost/tc?sslmode=verify-full",
  );
});

Deno.test({
  name:
    "sslrootcert names an authority when joining; the invitation brings it along",
  ignore: !HAS_POSTGRES || !hasOpenssl(),
  fn: async () => {
    const certificates = await makeCertificates();
    await using postgres = await Postgres.start({ certificates });
    await using api = await startScriptedApi();
    await using folder = new TempFolder();
    await using laptop = new PoolFolder();
    await using desktop = new PoolFolder();
    for (const one of [laptop, desktop]) await one.configure(api);
    const file = folder.join("ca.pem");
    await Deno.writeTextFile(file, certificates.caCert);
    const join = (pool: PoolFolder, name: string, text: string) =>
      pool.ended(["store", "join", "--stdin", "--name", name, "--yes"], text);
    const url = `postgres://tc@localhost:${postgres.port}/postgres`;
    const unnamed = await join(laptop, "laptop", `${url}?sslmode=verify-full`);
    match(unnamed.stderr, /does not know who signed/);
    const missing = await join(laptop, "laptop", `${url}?sslrootcert=/nowhere`);
    strictEqual(missing.code, 2);
    match(missing.stderr, /Cannot use sslrootcert \/nowhere/);
    const made = await join(laptop, "laptop", `${url}?sslrootcert=${file}`);
    strictEqual(made.code, 0, made.stderr);
    // Neither machine needs the file any more.
    await Deno.remove(file);
    const { stdout } = await laptop.ended(["store", "invite"]);
    const came = await join(desktop, "desktop", stdout);
    strictEqual(came.code, 0, came.stderr);
    match((await desktop.ended(["store", "status"])).stdout, /2 machines/);
  },
});

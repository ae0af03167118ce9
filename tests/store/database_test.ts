/** openDatabase(): schema, privacy, and files that cannot be used. */

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { TcError } from "../../src/errors.ts";
import {
  databaseError,
  isBusy,
  MIGRATIONS,
  openDatabase,
  setAside,
  transaction,
} from "../../src/store/ledger/database.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { strictMode } from "../fixtures/file_abilities.ts";

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (cause) {
    if (cause instanceof TcError) return cause.code;
    throw cause;
  }
  return "nothing thrown";
}

Deno.test("openDatabase() makes a private file in a private folder", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state", "tc", "state.db");
  using database = openDatabase(path, "read_write");
  database.exec("INSERT INTO names (text, seen_at) VALUES ('a', 1)");
  for (const name of ["state.db", "state.db-wal", "state.db-shm"]) {
    await strictMode(folder.join("state", "tc", name), 0o600);
  }
  await strictMode(folder.join("state", "tc"), 0o700);
});

Deno.test("openDatabase() finds its own schema again", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  openDatabase(path, "read_write").close();
  const again = openDatabase(path, "read_write");
  strictEqual(
    again.prepare("PRAGMA user_version").get()?.["user_version"],
    MIGRATIONS.length,
  );
  again.close();
});

Deno.test("openDatabase() refuses a newer schema and leaves it as it is", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  const database = openDatabase(path, "read_write");
  database.exec("PRAGMA user_version = 99");
  database.close();
  for (const mode of ["read_write", "read_only"] as const) {
    strictEqual(codeOf(() => openDatabase(path, mode)), "newer_state");
  }
  const still = new DatabaseSync(path);
  strictEqual(still.prepare("PRAGMA user_version").get()?.["user_version"], 99);
  still.close();
});

Deno.test("openDatabase() says damaged of what is no database", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  await Deno.writeTextFile(path, "no database at all ".repeat(100));
  strictEqual(codeOf(() => openDatabase(path, "read_write")), "damaged_state");
  const aside = setAside(path, "20261121T120000");
  strictEqual(aside, `${path}.damaged-20261121T120000`);
  openDatabase(path, "read_write").close();
  ok((await Deno.readTextFile(aside ?? "")).startsWith("no database"));
});

Deno.test("openDatabase() for reading needs a file and writes nothing", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  strictEqual(codeOf(() => openDatabase(path, "read_only")), "no_state");
  openDatabase(path, "read_write").close();
  const reader = openDatabase(path, "read_only");
  throws(() => reader.exec("DELETE FROM names"));
  reader.close();
});

Deno.test("a second writer is told that the file is busy", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  const one = openDatabase(path, "read_write");
  const two = openDatabase(path, "read_write");
  one.exec("BEGIN IMMEDIATE");
  try {
    transaction(two, () => {});
    ok(false);
  } catch (cause) {
    ok(isBusy(cause));
    strictEqual(databaseError(path, cause).code, "state_busy");
  }
  one.exec("ROLLBACK");
  one.close();
  two.close();
});

Deno.test("transaction() undoes all when its work fails", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  throws(() =>
    transaction(database, () => {
      database.exec("INSERT INTO names (text, seen_at) VALUES ('a', 1)");
      throw new Error("no");
    }), /no/);
  deepStrictEqual(database.prepare("SELECT * FROM names").all(), []);
  database.close();
});

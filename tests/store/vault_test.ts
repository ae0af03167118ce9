import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { instantFromMs } from "../../src/core/time.ts";
import { RefreshToken, Secret, type VaultEntry } from "../../src/ports.ts";
import { openVault } from "../../src/store/vault/open_vault.ts";
import { VaultCipher } from "../../src/store/vault/vault_cipher.ts";
import { encodeEntry } from "../../src/store/vault/vault_entry.ts";
import { canMount, SmallDisk } from "../fixtures/mounts.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import {
  fileVault,
  idOf,
  MACHINE,
  oauthEntry,
  refreshTokenOf,
} from "../fixtures/vault_kit.ts";

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name)
    .filter((name) => !name.endsWith(".lock")).sort();
}

function locks(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name)
    .filter((name) => name.endsWith(".lock"));
}

/** `entry` with its secrets in clear, to compare. */
function plain(entry: VaultEntry | null): unknown {
  return entry === null
    ? null
    : JSON.parse(encodeEntry({ entry, revision: 0, rest: {} }));
}

const KINDS: readonly VaultEntry[] = [
  oauthEntry("sub", "1", {
    sharedWith: { tool: "claude_code", location: "/home/x/.claude" },
    refusedTokenHash: "ab".repeat(32),
  }),
  oauthEntry("setup", "2", {
    kind: "setup_token",
    identity: null,
    email: null,
    credential: {
      kind: "setup_token",
      token: new Secret("sk-ant-oat01-FAKE-setup"),
      expiresAt: instantFromMs(1_900_000_000_000),
    },
  }),
  oauthEntry("key", "3", {
    kind: "api_key",
    identity: null,
    credential: { kind: "api_key", token: new Secret("sk-ant-api03-FAKE") },
  }),
  oauthEntry("backend", "4", {
    kind: "backend",
    label: "Zürich ☂",
    credential: { kind: "bearer", token: new Secret("FAKE-bearer") },
  }),
];

Deno.test("put(), get() and list() give back every kind of account", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.join("vault"));
  for (const entry of KINDS) await vault.put(entry);
  const { vault: other } = await fileVault(folder.join("vault"));
  for (const entry of KINDS) {
    deepStrictEqual(plain(await other.get(entry.id)), plain(entry));
  }
  const { entries, damaged } = await other.list();
  deepStrictEqual(entries.map(({ id }) => id), [
    "backend",
    "key",
    "setup",
    "sub",
  ]);
  deepStrictEqual(damaged, []);
  strictEqual(await other.get(idOf("nobody")), null);
});

Deno.test("an empty or missing vault lists nothing", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.join("vault"));
  deepStrictEqual(await vault.list(), { entries: [], damaged: [] });
});

Deno.test("put() writes no secret in clear, private files in a private folder", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.join("vault"));
  await vault.put(oauthEntry("a", "MARKER"));
  const bytes = await Deno.readFile(folder.join("vault/a.vault"));
  const text = new TextDecoder("latin1").decode(bytes);
  ok(!text.includes("MARKER") && !text.includes("example.test"));
  strictEqual(text.slice(0, 4), "TCV\x02");
  if (Deno.build.os === "windows") return;
  for (const name of ["a.vault", ...locks(folder.join("vault"))]) {
    const { mode } = await Deno.stat(folder.join("vault", name));
    strictEqual((mode ?? 0) & 0o777, 0o600, name);
  }
  const { mode } = await Deno.stat(folder.join("vault"));
  strictEqual((mode ?? 0) & 0o777, 0o700);
});

Deno.test("put() refuses a blank credential and keeps the old one", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.path);
  await vault.put(oauthEntry("a", "1"));
  for (const blank of ["", "  "]) {
    const entry = oauthEntry("a", "2", {
      credential: {
        kind: "oauth",
        accessToken: new Secret("x"),
        refreshToken: new RefreshToken(blank),
        expiresAt: instantFromMs(0),
        scopes: [],
        signInEndsAt: null,
      },
    });
    await rejects(vault.put(entry), { code: "blank_credential" });
  }
  strictEqual(
    refreshTokenOf(await vault.get(idOf("a"))),
    "sk-ant-ort01-FAKE-1",
  );
});

Deno.test("update() changes what is stored now, not what was read before", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.path);
  const { vault: other } = await fileVault(folder.path);
  await vault.put(oauthEntry("a", "1"));
  await other.update(idOf("a"), (entry) => ({ ...entry, label: "renamed" }));
  const result = await vault.update(
    idOf("a"),
    (entry) => ({ ...entry, email: "new@example.test" }),
  );
  strictEqual(result?.label, "renamed");
  strictEqual((await other.get(idOf("a")))?.email, "new@example.test");
});

Deno.test("update() of a removed entry does nothing and brings nothing back", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.path);
  await vault.put(oauthEntry("a", "1"));
  strictEqual(await vault.remove(idOf("a")), true);
  strictEqual(await vault.remove(idOf("a")), false);
  strictEqual(
    await vault.update(idOf("a"), () => {
      throw new Error("not to be called");
    }),
    null,
  );
  deepStrictEqual(names(folder.path), []);
});

Deno.test("update() without a change writes nothing", async () => {
  await using folder = new TempFolder();
  let writes = 0;
  const { vault } = await fileVault(folder.path, () => void (writes += 1));
  await vault.put(oauthEntry("a", "1"));
  const after = writes;
  await vault.update(idOf("a"), (entry) => entry);
  strictEqual(writes, after);
});

Deno.test("200 updates from two vaults are all there", async () => {
  await using folder = new TempFolder();
  const vaults = [await fileVault(folder.path), await fileVault(folder.path)];
  await vaults[0]?.vault.put(oauthEntry("a", "1", { email: "" }));
  await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      vaults[index % 2]?.vault.update(
        idOf("a"),
        (entry) => ({ ...entry, email: `${entry.email}x` }),
      )),
  );
  strictEqual((await vaults[1]?.vault.get(idOf("a")))?.email?.length, 200);
});

Deno.test("keys of a newer version survive an update and a login", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.path);
  const json = JSON.parse(encodeEntry({
    entry: oauthEntry("a", "1"),
    revision: 4,
    rest: {},
  }));
  json.colour = { of: ["a", "later", "version"] };
  await Deno.writeTextFile(folder.join("a.vault"), JSON.stringify(json));
  await vault.update(idOf("a"), (entry) => ({ ...entry, label: "b" }));
  await vault.put(oauthEntry("a", "2"));
  const cipher = new VaultCipher(MACHINE, realEntropy);
  const bytes = await Deno.readFile(folder.join("a.vault"));
  const stored = JSON.parse(
    new TextDecoder().decode(await cipher.open("a", bytes)),
  );
  deepStrictEqual(stored.colour, { of: ["a", "later", "version"] });
  strictEqual(stored.revision, 6);
});

Deno.test("an entry in clear is read, and sealed at once", async () => {
  await using folder = new TempFolder();
  const entry = oauthEntry("a", "1");
  const json = encodeEntry({ entry, revision: 0, rest: {} });
  await Deno.writeTextFile(folder.join("a.vault"), json);
  const { vault } = await fileVault(folder.path);
  deepStrictEqual(plain(await vault.get(idOf("a"))), plain(entry));
  const text = new TextDecoder("latin1").decode(
    await Deno.readFile(folder.join("a.vault")),
  );
  ok(text.startsWith("TCV\x02"));
  deepStrictEqual(plain(await vault.get(idOf("a"))), plain(entry));
});

Deno.test("any damage to one entry is told, loses no other and is never overwritten", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.path);
  await vault.put(oauthEntry("a", "1"));
  await vault.put(oauthEntry("b", "2"));
  const path = folder.join("a.vault");
  const good = await Deno.readFile(path);
  for (let at = 0; at < good.length; at++) {
    for (const damage of ["cut", "flip"]) {
      const bad = damage === "cut" ? good.slice(0, at) : good.slice();
      if (damage === "flip") bad[at] = (bad[at] ?? 0) ^ 1;
      await Deno.writeFile(path, bad);
      const { entries, damaged } = await vault.list();
      deepStrictEqual(entries.map(({ id }) => id), ["b"], `${damage} ${at}`);
      deepStrictEqual(damaged.map(({ id }) => id), ["a"], `${damage} ${at}`);
      if (at % 50 !== 0) continue;
      await rejects(vault.update(idOf("a"), (entry) => entry));
      deepStrictEqual(await Deno.readFile(path), bad);
    }
  }
});

Deno.test("put() sets a damaged entry aside and stores the new login", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.path);
  for (const round of [1, 2]) {
    await Deno.writeTextFile(folder.join("a.vault"), `damage ${round}`);
    await vault.put(oauthEntry("a", String(round)));
    strictEqual(
      refreshTokenOf(await vault.get(idOf("a"))),
      `sk-ant-ort01-FAKE-${round}`,
    );
    strictEqual(
      await Deno.readTextFile(folder.join(`a.vault.damaged-${round}`)),
      `damage ${round}`,
    );
  }
});

Deno.test("a vault of another machine or user says so", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.path);
  await vault.put(oauthEntry("a", "1"));
  const { vault: foreign } = await openVault({
    folder: folder.path,
    secret: { ...MACHINE, userName: "somebody" },
    wanted: "file",
    mayPrompt: false,
    os: Deno.build.os,
  }, { clock: realClock, entropy: realEntropy, runner: null });
  await rejects(foreign.get(idOf("a")), {
    code: "vault_foreign",
    message:
      "Cannot read the vault entry a: it was sealed on another machine, by another user, or with another vault key",
  });
  deepStrictEqual((await foreign.list()).entries, []);
});

Deno.test("a sealed entry does not open under another name or version", async () => {
  const cipher = new VaultCipher(MACHINE, realEntropy);
  const sealed = await cipher.seal("a", new TextEncoder().encode("text"));
  await rejects(cipher.open("b", sealed), { code: "vault_damaged" });
  sealed[3] = 9;
  await rejects(cipher.open("a", sealed), { code: "vault_newer" });
});

Deno.test("a write cut off before its rename is finished by the next reader", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.join("vault"));
  await vault.put(oauthEntry("a", "1"));
  const old = await Deno.readFile(folder.join("vault/a.vault"));
  await vault.put(oauthEntry("a", "2"));
  const path = folder.join("vault/a.vault");
  await Deno.rename(path, `${path}.next`);
  await Deno.writeFile(path, old);
  strictEqual(
    refreshTokenOf(await vault.get(idOf("a"))),
    "sk-ant-ort01-FAKE-2",
  );
  deepStrictEqual(names(folder.join("vault")), ["a.vault"]);
});

Deno.test("a first write cut off before its rename is finished too", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.path);
  await vault.put(oauthEntry("a", "1"));
  await Deno.rename(folder.join("a.vault"), folder.join("a.vault.next"));
  deepStrictEqual((await vault.list()).entries.map(({ id }) => id), ["a"]);
});

Deno.test("the rest of a write is dropped when it is partial or older", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.path);
  await vault.put(oauthEntry("a", "1"));
  const path = folder.join("a.vault");
  const older = await Deno.readFile(path);
  await vault.put(oauthEntry("a", "2"));
  const newer = await Deno.readFile(path);
  for (const rest of [older, newer.slice(0, -1), newer, new Uint8Array()]) {
    await Deno.writeFile(`${path}.next`, rest);
    strictEqual(
      refreshTokenOf(await vault.get(idOf("a"))),
      "sk-ant-ort01-FAKE-2",
    );
    deepStrictEqual(names(folder.path), ["a.vault"]);
  }
});

Deno.test("remove() takes the rest of a write with it", async () => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.path);
  await vault.put(oauthEntry("a", "1"));
  await Deno.copyFile(folder.join("a.vault"), folder.join("a.vault.next"));
  await vault.remove(idOf("a"));
  deepStrictEqual(names(folder.path), []);
  deepStrictEqual((await vault.list()).entries, []);
});

Deno.test({
  name: "a vault on a full or read-only disk is read, and its writes refused",
  ignore: !canMount(),
  async fn() {
    await using folder = new TempFolder();
    using disk = new SmallDisk(folder.path, "64k");
    const { vault } = await fileVault(disk.path);
    await vault.put(oauthEntry("a", "1"));
    disk.fill();
    await rejects(vault.put(oauthEntry("a", "2")), { code: "disk_full" });
    disk.free();
    await disk.setWritable("ro");
    await rejects(vault.put(oauthEntry("a", "3")), { code: "read_only" });
    const { vault: again } = await fileVault(disk.path);
    strictEqual(
      refreshTokenOf(await again.get(idOf("a"))),
      "sk-ant-ort01-FAKE-1",
    );
    await disk.setWritable("rw");
    await again.put(oauthEntry("a", "4"));
  },
});

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import {
  type OpenedVault,
  openVault,
} from "../../src/store/vault/open_vault.ts";
import { FakeKeychain } from "../fixtures/fake_keychain.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import {
  idOf,
  MACHINE,
  oauthEntry,
  refreshTokenOf,
} from "../fixtures/vault_kit.ts";

const SYSTEMS = ["darwin", "linux", "windows"] as const;

interface Wish {
  readonly os: typeof SYSTEMS[number];
  readonly wanted: "file" | "keychain";
}

function open(
  folder: string,
  runner: FakeKeychain | null,
  { os, wanted }: Wish,
): Promise<OpenedVault> {
  return openVault(
    { folder, secret: MACHINE, wanted, mayPrompt: false, os },
    { clock: realClock, entropy: realEntropy, runner },
  );
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name)
    .filter((name) => !name.endsWith(".lock")).sort();
}

/** Every file of `folder` as text. */
function contents(folder: string): string {
  return names(folder)
    .map((name) =>
      new TextDecoder("latin1").decode(Deno.readFileSync(`${folder}/${name}`))
    )
    .join("\n");
}

for (const os of SYSTEMS) {
  Deno.test(`the vault keeps and gives back entries in the keychain of ${os}`, async () => {
    await using folder = new TempFolder();
    const keychain = new FakeKeychain();
    const { vault } = await open(folder.path, keychain, {
      os,
      wanted: "keychain",
    });
    await vault.put(oauthEntry("a", "1", { label: "Zürich ☂" }));
    await vault.update(idOf("a"), (entry) => ({ ...entry, tier: "pro" }));
    const { vault: other } = await open(folder.path, keychain, {
      os,
      wanted: "keychain",
    });
    const entry = await other.get(idOf("a"));
    strictEqual(entry?.label, "Zürich ☂");
    strictEqual(entry?.tier, "pro");
    strictEqual(refreshTokenOf(entry), "sk-ant-ort01-FAKE-1");
    deepStrictEqual(names(folder.path), ["a.keychain"]);
    deepStrictEqual(other.describe().backend, "keychain");
    strictEqual(other.describe().fallback, null);
    strictEqual(await other.remove(idOf("a")), true);
    strictEqual(keychain.items.size, 0);
    deepStrictEqual(names(folder.path), []);
  });

  Deno.test(`a keychain of ${os} that is locked is asked once, and loses nothing`, async () => {
    await using folder = new TempFolder();
    const keychain = new FakeKeychain();
    const wish = { os, wanted: "keychain" } as const;
    const { vault } = await open(folder.path, keychain, wish);
    for (const id of ["a", "b", "c"]) await vault.put(oauthEntry(id, id));
    for (const state of ["locked", "hanging"] as const) {
      keychain.state = state;
      const asked = keychain.commandLines.length;
      const { vault: later } = await open(folder.path, keychain, wish);
      const { entries, damaged } = await later.list();
      strictEqual(keychain.commandLines.length, asked + 1);
      deepStrictEqual([entries.length, damaged.length], [0, 3]);
      for (const { unlock } of damaged) ok(unlock !== null);
      keychain.state = "open";
      const { vault: unlocked } = await open(folder.path, keychain, wish);
      const after = await unlocked.list();
      deepStrictEqual([after.entries.length, after.damaged], [3, []]);
      strictEqual(
        refreshTokenOf(await unlocked.get(idOf("a"))),
        "sk-ant-ort01-FAKE-a",
      );
    }
  });

  Deno.test(`a vault of files sees what another process moves to the keychain of ${os}`, async () => {
    await using folder = new TempFolder();
    const keychain = new FakeKeychain();
    const { vault: server } = await open(folder.path, keychain, {
      os,
      wanted: "file",
    });
    await server.put(oauthEntry("a", "1"));
    // A person changes the setting; the server keeps what it began with.
    const { vault: command } = await open(folder.path, keychain, {
      os,
      wanted: "keychain",
    });
    await command.update(idOf("a"), (entry) => ({ ...entry, tier: "pro" }));
    deepStrictEqual(names(folder.path), ["a.keychain"]);
    strictEqual((await server.get(idOf("a")))?.tier, "pro");
    const { credential } = oauthEntry("a", "2");
    await server.update(idOf("a"), (entry) => ({ ...entry, credential }));
    strictEqual(
      refreshTokenOf(await command.get(idOf("a"))),
      "sk-ant-ort01-FAKE-2",
    );
    strictEqual((await server.list()).entries.length, 1);
  });

  Deno.test(`a vault of files that cannot be written uses no keychain of ${os}`, async () => {
    await using folder = new TempFolder();
    const keychain = new FakeKeychain();
    const { vault } = await openVault(
      {
        folder: folder.path,
        secret: MACHINE,
        wanted: "file",
        mayPrompt: false,
        os,
      },
      {
        clock: realClock,
        entropy: realEntropy,
        runner: keychain,
        onStep: () => {
          throw Object.assign(new Error("full"), { code: "ENOSPC" });
        },
      },
    );
    await rejects(vault.put(oauthEntry("a", "1")), { code: "disk_full" });
    deepStrictEqual(keychain.commandLines, []);
  });

  Deno.test(`no secret is in an argument of the keychain program of ${os}`, async () => {
    await using folder = new TempFolder();
    const keychain = new FakeKeychain();
    const { vault } = await open(folder.path, keychain, {
      os,
      wanted: "keychain",
    });
    await vault.put(oauthEntry("a", "CANARY"));
    await vault.get(idOf("a"));
    await vault.remove(idOf("a"));
    const shown = keychain.commandLines.join("\n");
    ok(keychain.commandLines.length >= 3);
    for (const secret of ["CANARY", btoa("CANARY").slice(0, 6)]) {
      ok(!shown.includes(secret), secret);
    }
    ok(!contents(folder.path).includes("CANARY"));
  });

  Deno.test(`a keychain of ${os} that does not answer is announced and files used`, async () => {
    for (const state of ["absent", "locked", "hanging"] as const) {
      await using folder = new TempFolder();
      const keychain = new FakeKeychain();
      keychain.state = state;
      const { vault } = await open(folder.path, keychain, {
        os,
        wanted: "keychain",
      });
      await vault.put(oauthEntry("a", "1"));
      deepStrictEqual(names(folder.path), ["a.vault"]);
      const { backend, fallback } = vault.describe();
      strictEqual(backend, "file");
      ok(fallback?.startsWith("Cannot use the keychain: "), String(fallback));
      strictEqual(
        refreshTokenOf(await vault.get(idOf("a"))),
        "sk-ant-ort01-FAKE-1",
      );
    }
  });

  Deno.test(`migration to and from the keychain of ${os} leaves one copy`, async () => {
    await using folder = new TempFolder();
    const keychain = new FakeKeychain();
    const files = await open(folder.path, keychain, { os, wanted: "file" });
    for (const id of ["a", "b"]) await files.vault.put(oauthEntry(id, id));

    const inward = await open(folder.path, keychain, {
      os,
      wanted: "keychain",
    });
    strictEqual(
      refreshTokenOf(await inward.vault.get(idOf("a"))),
      "sk-ant-ort01-FAKE-a",
    );
    deepStrictEqual(await inward.vault.migrate(), []);
    deepStrictEqual(names(folder.path), ["a.keychain", "b.keychain"]);

    const outward = await open(folder.path, keychain, { os, wanted: "file" });
    strictEqual((await outward.vault.list()).entries.length, 2);
    deepStrictEqual(await outward.vault.migrate(), []);
    deepStrictEqual(names(folder.path), ["a.vault", "b.vault"]);
    strictEqual(keychain.items.size, 0);
    strictEqual(
      refreshTokenOf(await outward.vault.get(idOf("b"))),
      "sk-ant-ort01-FAKE-b",
    );
  });

  Deno.test(`migration that the keychain of ${os} refuses half-way loses nothing`, async () => {
    for (const state of ["locked", "forgetful", "hanging"] as const) {
      await using folder = new TempFolder();
      const keychain = new FakeKeychain();
      const files = await open(folder.path, keychain, { os, wanted: "file" });
      for (const id of ["a", "b"]) await files.vault.put(oauthEntry(id, id));
      const inward = await open(folder.path, keychain, {
        os,
        wanted: "keychain",
      });
      keychain.state = state;
      deepStrictEqual(await inward.vault.migrate(), ["a", "b"]);
      keychain.state = "open";
      for (const id of ["a", "b"]) {
        strictEqual(
          refreshTokenOf(await inward.vault.get(idOf(id))),
          `sk-ant-ort01-FAKE-${id}`,
          state,
        );
      }
      deepStrictEqual(names(folder.path), ["a.vault", "b.vault"]);
    }
  });
}

Deno.test("a keychain locked in mid-run: its entries say so, an old copy is not used", async () => {
  await using folder = new TempFolder();
  const keychain = new FakeKeychain();
  const wish = { os: "darwin", wanted: "keychain" } as const;
  const { vault } = await open(folder.path, keychain, wish);
  await vault.put(oauthEntry("a", "1"));
  const stale = await open(folder.join("other"), null, wish);
  await stale.vault.put(oauthEntry("a", "0"));
  await Deno.copyFile(folder.join("other/a.vault"), folder.join("a.vault"));
  await Deno.remove(folder.join("other"), { recursive: true });
  keychain.state = "locked";
  await rejects(vault.get(idOf("a")), { code: "keychain_locked" });
  await rejects(vault.update(idOf("a"), (entry) => entry), {
    code: "keychain_locked",
  });
});

Deno.test("a login while the keychain is locked goes to a file, and counts", async () => {
  await using folder = new TempFolder();
  const keychain = new FakeKeychain();
  const wish = { os: "linux", wanted: "keychain" } as const;
  const { vault } = await open(folder.path, keychain, wish);
  await vault.put(oauthEntry("a", "1"));
  keychain.state = "locked";
  await vault.put(oauthEntry("a", "2"));
  strictEqual(vault.describe().backend, "file");
  ok(vault.describe().fallback !== null);
  keychain.state = "open";
  strictEqual(
    refreshTokenOf(await vault.get(idOf("a"))),
    "sk-ant-ort01-FAKE-2",
  );
  deepStrictEqual(names(folder.path), ["a.vault"]);
});

Deno.test("an entry too long for the macOS program goes to a file", async () => {
  await using folder = new TempFolder();
  const keychain = new FakeKeychain();
  const wish = { os: "darwin", wanted: "keychain" } as const;
  const { vault } = await open(folder.path, keychain, wish);
  await vault.put(oauthEntry("a", "x".repeat(3_000)));
  deepStrictEqual(names(folder.path), ["a.vault"]);
  strictEqual(keychain.items.size, 0);
});

Deno.test("an item gone from the keychain is damage, and a login mends it", async () => {
  await using folder = new TempFolder();
  const keychain = new FakeKeychain();
  const wish = { os: "linux", wanted: "keychain" } as const;
  const { vault } = await open(folder.path, keychain, wish);
  await vault.put(oauthEntry("a", "1"));
  keychain.items.clear();
  deepStrictEqual((await vault.list()).damaged.map(({ id }) => id), ["a"]);
  await vault.put(oauthEntry("a", "2"));
  strictEqual(
    refreshTokenOf(await vault.get(idOf("a"))),
    "sk-ant-ort01-FAKE-2",
  );
});

Deno.test("without a program runner the vault is files", async () => {
  await using folder = new TempFolder();
  const { vault } = await open(folder.path, null, {
    os: "linux",
    wanted: "keychain",
  });
  await vault.put(oauthEntry("a", "1"));
  strictEqual(vault.describe().backend, "file");
  strictEqual(
    vault.describe().fallback,
    "Cannot use the keychain: there is none here",
  );
});

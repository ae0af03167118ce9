/** The vault's own secret: random, private, and apart from the vault. */

import { dirname, join } from "node:path";
import {
  deepStrictEqual,
  match,
  ok,
  rejects,
  strictEqual,
  throws,
} from "node:assert/strict";
import { readVaultKey, vaultKey } from "../../src/store/vault/vault_key.ts";
import { VaultCipher } from "../../src/store/vault/vault_cipher.ts";
import { encodeEntry } from "../../src/store/vault/vault_entry.ts";
import { openVault } from "../../src/store/vault/open_vault.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { MACHINE, oauthEntry } from "../fixtures/vault_kit.ts";

const encoder = new TextEncoder();

/**
 * An entry sealed as tc 0.1.0 did it, under what everybody can read: version 1,
 * HKDF of machine id and user name.
 */
async function sealedOpenly(
  name: string,
  text: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const secret = encoder.encode(`${MACHINE.machineId}\0${MACHINE.userName}`);
  const source = await crypto.subtle.importKey("raw", secret, "HKDF", false, [
    "deriveKey",
    "deriveBits",
  ]);
  const hkdf = (salt: Uint8Array<ArrayBuffer>, info: string) => ({
    name: "HKDF",
    hash: "SHA-256",
    salt,
    info: encoder.encode(info),
  });
  const check = await crypto.subtle.deriveBits(
    hkdf(new Uint8Array(), "tc/vault/check/v1"),
    source,
    64,
  );
  const salt = realEntropy.bytes(16);
  const nonce = realEntropy.bytes(12);
  const head = Uint8Array.from([
    ...encoder.encode("TCV"),
    1,
    ...new Uint8Array(check),
    ...salt,
    ...nonce,
  ]);
  const key = await crypto.subtle.deriveKey(
    hkdf(salt, "tc/vault/key/v1"),
    source,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt"],
  );
  const bound = Uint8Array.from([...head, ...encoder.encode(name)]);
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv: nonce, additionalData: bound },
    key,
    encoder.encode(text),
  );
  return Uint8Array.from([...head, ...new Uint8Array(sealed)]);
}

function openWith(folder: string, secret: typeof MACHINE) {
  return openVault(
    { folder, secret, wanted: "file", mayPrompt: false, os: Deno.build.os },
    { clock: realClock, entropy: realEntropy, runner: null },
  );
}

Deno.test("machine id and user name do not open the vault", async () => {
  await using folder = new TempFolder();
  const { vault } = await openWith(folder.path, MACHINE);
  await vault.put(oauthEntry("a", "MARKER"));
  const bytes = await Deno.readFile(folder.join("a.vault"));
  const stranger = new VaultCipher(
    { ...MACHINE, vaultKey: "g".repeat(43) },
    realEntropy,
  );
  await rejects(stranger.open("a", bytes), /with another vault key/);
  const { vault: copy } = await openWith(folder.path, {
    ...MACHINE,
    vaultKey: "",
  });
  const { entries, damaged } = await copy.list();
  deepStrictEqual(entries, []);
  match(damaged[0]?.reason ?? "", /another vault key/);
});

Deno.test("a vault of an older tc is read, and sealed anew at the first look", async () => {
  await using folder = new TempFolder();
  const file = folder.join("a.vault");
  const json = encodeEntry({
    entry: oauthEntry("a", "1"),
    revision: 3,
    rest: {},
  });
  await Deno.writeFile(file, await sealedOpenly("a", json), { mode: 0o600 });
  const { vault } = await openWith(folder.path, MACHINE);
  const { entries } = await vault.list();
  strictEqual(entries[0]?.label, "a");
  const bytes = await Deno.readFile(file);
  strictEqual(bytes[3], 2);
  const opened = await new VaultCipher(MACHINE, realEntropy).open("a", bytes);
  strictEqual(new TextDecoder().decode(opened), json);
});

Deno.test("an older entry of another machine stays, and a new login replaces it", async () => {
  await using folder = new TempFolder();
  const file = folder.join("a.vault");
  const foreign = await sealedOpenly("b", "{}");
  await Deno.writeFile(file, foreign, { mode: 0o600 });
  const { vault } = await openWith(folder.path, MACHINE);
  strictEqual((await vault.list()).damaged.length, 1);
  deepStrictEqual(await Deno.readFile(file), foreign);
  await vault.put(oauthEntry("a", "2"));
  strictEqual((await vault.list()).entries.length, 1);
});

Deno.test("vaultKey() makes one private key, and never another over a damaged one", async () => {
  await using folder = new TempFolder();
  const file = folder.join("data", "vault.key");
  strictEqual(readVaultKey(file), null);
  const key = vaultKey(file, realEntropy);
  match(key, /^[A-Za-z0-9_-]{43}$/);
  strictEqual(vaultKey(file, realEntropy), key);
  if (Deno.build.os !== "windows") {
    strictEqual(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
    await Deno.chmod(file, 0o644);
    strictEqual(vaultKey(file, realEntropy), key);
    strictEqual(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
  }
  for (const text of ["", "short", `${key}x`]) {
    await Deno.writeTextFile(file, text);
    throws(() => vaultKey(file, realEntropy), /damaged/);
    strictEqual(await Deno.readTextFile(file), text);
  }
});

Deno.test("the key is in no folder that is copied with the vault", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_5x" });
  await using pool = await TcPool.of(api);
  const { vaultKeyFile, secretsFolder, configFile } = pool.paths;
  for (const folder of [secretsFolder, dirname(configFile)]) {
    ok(!vaultKeyFile.startsWith(join(folder, "/")), vaultKeyFile);
  }
  // Another user's copy of the vault, with the same machine id and name.
  await Deno.rename(vaultKeyFile, `${vaultKeyFile}.away`);
  const { stdout, stderr } = await pool.tc(["accounts"]);
  match(stdout + stderr, /another vault key/);
  await Deno.rename(`${vaultKeyFile}.away`, vaultKeyFile);
  match((await pool.tc(["accounts"])).stdout, /work/);
});

Deno.test("the doctor says what the vault's key keeps out and what not", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_5x" });
  await using pool = await TcPool.of(api);
  const { stdout } = await pool.tc(["doctor"]);
  match(
    stdout,
    /vault +opens with .*vault\.key: keeps out other users and copies without that file, not root/,
  );
});

/** One imported account into the vault, against a provider that knows it. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { importAccount } from "../../src/auth/import/import_account.ts";
import type { ImportCandidate } from "../../src/auth/import/import_rows.ts";
import { JsonClient } from "../../src/auth/json_client.ts";
import { after, HOUR_MS } from "../../src/core/time.ts";
import { RefreshToken, Secret, type Vault } from "../../src/ports.ts";
import { fetchUpstream } from "../fixtures/fetch_upstream.ts";
import { realClock } from "../fixtures/real_ports.ts";
import {
  ended,
  entryOf,
  PATIENT,
  refresherOn,
} from "../fixtures/refresh_kit.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { type Family, TokenServer } from "../fixtures/token_server.ts";
import { fileVault, refreshTokenOf } from "../fixtures/vault_kit.ts";

const SHARED = { tool: "claude_code", location: "/somewhere" } as const;

function candidateOf(
  family: Family,
  changes: Partial<ImportCandidate> = {},
): ImportCandidate {
  return {
    name: null,
    email: null,
    identity: null,
    tier: "unknown",
    credential: {
      kind: "oauth",
      accessToken: new Secret(family.accessToken),
      refreshToken: new RefreshToken(family.refreshToken),
      expiresAt: after(realClock.now(), HOUR_MS),
      scopes: [],
      signInEndsAt: null,
    },
    sharedWith: SHARED,
    settings: {
      priority: null,
      enabled: true,
      capUtilization: null,
      upstream: null,
      modelMap: null,
    },
    ...changes,
  };
}

function expired(family: Family): ImportCandidate {
  const candidate = candidateOf(family);
  return candidate.credential.kind === "oauth"
    ? {
      ...candidate,
      credential: { ...candidate.credential, expiresAt: ended() },
    }
    : candidate;
}

function take(
  candidate: ImportCandidate,
  { server, vault, name = null, isDryRun = false }: {
    readonly server: TokenServer;
    readonly vault: Vault;
    readonly name?: string | null;
    readonly isDryRun?: boolean;
  },
) {
  return importAccount(candidate, name, {
    vault,
    locks: { acquire: () => Promise.reject(new TypeError("not locked")) },
    journal: { log() {} },
    owners: null,
    client: new JsonClient({
      upstream: fetchUpstream,
      clock: realClock,
      userAgent: "tc/test",
    }),
    provider: server.provider,
    clock: realClock,
    taken: new Set(),
    isDryRun,
  });
}

Deno.test("importAccount() asks the provider whose it is, and spends nothing", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const { vault } = await fileVault(folder.path);
  const family = server.mint("ada");
  const result = await take(candidateOf(family), { server, vault });
  ok(result.kind === "added");
  const { entry } = result;
  strictEqual(entry.label, "ada@example.test");
  strictEqual(entry.tier, "max_20x");
  deepStrictEqual(entry.sharedWith, SHARED);
  strictEqual(entry.savedAt, 0);
  deepStrictEqual(entry.identity, {
    accountUuid: "acc-ada",
    organizationUuid: "org-ada",
  });
  const again = await take(candidateOf(family), { server, vault });
  strictEqual(again.kind, "unchanged");
  strictEqual(server.tokenCalls.length, 0);
  strictEqual((await vault.list()).entries.length, 1);
});

Deno.test("importAccount() brings a renewed login to the account it belongs to", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const { vault } = await fileVault(folder.path);
  await take(candidateOf(server.mint("ada")), { server, vault, name: "mine" });
  const renewed = server.mint("ada");
  const result = await take(candidateOf(renewed), { server, vault });
  ok(result.kind === "updated");
  strictEqual(result.entry.label, "mine");
  const { entries } = await vault.list();
  strictEqual(entries.length, 1);
  strictEqual(refreshTokenOf(entries[0] ?? null), renewed.refreshToken);
});

Deno.test("importAccount() keeps a login of our own, unless it is dead", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const { vault } = await fileVault(folder.path);
  const ours = server.mint("ada");
  const entry = entryOf(ours, after(realClock.now(), HOUR_MS));
  await vault.put(entry);
  const shared = candidateOf(server.mint("ada"));
  const kept = await take(shared, { server, vault });
  strictEqual(kept.kind, "kept");
  strictEqual(refreshTokenOf(await vault.get(entry.id)), ours.refreshToken);

  await vault.put({
    ...entry,
    refusedTokenHash: new RefreshToken(ours.refreshToken).hash(),
  });
  const taken = await take(shared, { server, vault });
  ok(taken.kind === "updated");
  strictEqual(taken.entry.id, entry.id);
  strictEqual(taken.entry.refusedTokenHash, null);
});

Deno.test("importAccount() does not bring a spent token back over its successor", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const opened = await fileVault(folder.path);
  const { vault } = opened;
  const family = server.mint("ada");
  const theirs = candidateOf({ ...family }, {
    sharedWith: { tool: "teamclaude", location: "/pool.json#ada" },
  });
  const added = await take(theirs, { server, vault });
  ok(added.kind === "added");
  const { id } = added.entry;
  await vault.update(id, (entry) => ({
    ...entry,
    credential: { ...theirs.credential, expiresAt: ended() } as never,
  }));
  const { refresher } = refresherOn(opened, server);
  await refresher.authorization(id, PATIENT);
  await refresher.close();
  strictEqual(refreshTokenOf(await vault.get(id)), family.refreshToken);

  // The tool's file still shows what was spent, by its own time alive or not.
  for (
    const candidate of [theirs, {
      ...theirs,
      identity: added.entry.identity,
      credential: { ...theirs.credential, expiresAt: ended() } as never,
    }]
  ) {
    const result = await take(candidate, { server, vault });
    ok(result.kind !== "updated", result.kind);
    strictEqual(refreshTokenOf(await vault.get(id)), family.refreshToken);
  }
});

Deno.test("importAccount() does not take back what the vault has gone on from", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const { vault } = await fileVault(folder.path);
  // By the clock the older one is the better.
  const older = candidateOf(server.mint("ada"));
  const { credential } = older;
  ok(credential.kind === "oauth");
  const newer = server.mint("ada");
  await vault.put(
    entryOf(newer, ended(), {
      sharedWith: SHARED,
      ancestors: [credential.refreshToken.hash()],
    }),
  );
  const result = await take(older, { server, vault });
  strictEqual(result.kind, "kept");
  const [entry] = (await vault.list()).entries;
  strictEqual(refreshTokenOf(entry ?? null), newer.refreshToken);
});

Deno.test("importAccount() refuses what the provider refuses, and takes what has ended", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const { vault } = await fileVault(folder.path);
  const revoked = server.mint("ada");
  revoked.isAlive = false;
  const refused = await take(candidateOf(revoked), { server, vault });
  strictEqual(refused.kind, "refused");
  strictEqual((await vault.list()).entries.length, 0);

  // What the clock calls over the provider may know, and is asked.
  const old = await take(expired(server.mint("bob")), { server, vault });
  ok(old.kind === "added");
  strictEqual(old.entry.identity?.accountUuid, "acc-bob");

  // Where neither it nor the login says whose it is, nothing is taken.
  const over = server.mint("eve");
  const nobody = await take(
    expired({ ...over, accessToken: "sk-ant-oat01-FAKE-over" }),
    { server, vault },
  );
  strictEqual(nobody.kind, "refused");
  // The login's own word is enough.
  const identity = { accountUuid: "acc-eve", organizationUuid: "org-eve" };
  const noted = await take({
    ...expired({ ...over, accessToken: "sk-ant-oat01-FAKE-over" }),
    identity,
  }, { server, vault });
  ok(noted.kind === "added");
  deepStrictEqual(noted.entry.identity, identity);
  strictEqual(server.tokenCalls.length, 0);
});

Deno.test("importAccount() writes nothing in a dry run", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const { vault } = await fileVault(folder.path);
  const result = await take(candidateOf(server.mint("ada")), {
    server,
    vault,
    isDryRun: true,
  });
  strictEqual(result.kind, "added");
  strictEqual((await vault.list()).entries.length, 0);
  const files = await Array.fromAsync(Deno.readDir(folder.path));
  ok(files.every(({ name }) => !name.endsWith(".vault")));
});

Deno.test("importAccount() takes keys as they are, without a family", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const { vault } = await fileVault(folder.path);
  const base = candidateOf(server.mint("x"));
  const kinds = [];
  for (
    const [credential, upstream] of [
      [{ kind: "api_key", token: new Secret("sk-ant-api03-FAKE") }, null],
      [{
        kind: "setup_token",
        token: new Secret("sk-ant-oat01-FAKE"),
        expiresAt: null,
      }, null],
      [{ kind: "api_key", token: new Secret("other-key") }, "https://b.test"],
    ] as const
  ) {
    const settings = { ...base.settings, upstream };
    const result = await take(
      { ...base, credential, settings, sharedWith: null },
      { server, vault },
    );
    ok(result.kind === "added");
    kinds.push(`${result.entry.kind} ${result.entry.label}`);
  }
  deepStrictEqual(kinds, [
    "api_key api-key",
    "setup_token setup-token",
    "backend backend",
  ]);
});

/** Which token descends from which, and who of two holders is ahead. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import type {
  OwnerHold,
  OwnerReading,
} from "../../src/auth/shared/family_owners.ts";
import { JsonClient } from "../../src/auth/json_client.ts";
import { kinship, movedOn } from "../../src/lineage.ts";
import { standingOf } from "../../src/auth/shared/shared_login.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { type OAuthCredential, RefreshToken, Secret } from "../../src/ports.ts";
import { fetchUpstream } from "../fixtures/fetch_upstream.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { entryOf } from "../fixtures/refresh_kit.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { type Family, TokenServer } from "../fixtures/token_server.ts";
import { fileVault, oauthEntry } from "../fixtures/vault_kit.ts";

function credential(token: string, endsAtMs: number): OAuthCredential {
  return {
    kind: "oauth",
    accessToken: new Secret(`sk-ant-oat01-FAKE-${token}`),
    refreshToken: new RefreshToken(`sk-ant-ort01-FAKE-${token}`),
    expiresAt: instantFromMs(endsAtMs),
    scopes: [],
    signInEndsAt: null,
  };
}

Deno.test("law: kinship goes by descent, whatever the clocks say", () => {
  const ends = fc.array(fc.integer({ min: 1, max: 4e12 }), {
    minLength: 2,
    maxLength: 20,
  });
  fc.assert(fc.property(ends, (times) => {
    const line = times.map((at, index) => credential(String(index), at));
    let entry = oauthEntry("ada", "0");
    for (const next of line.slice(1)) entry = movedOn(entry, next);
    line.forEach(({ refreshToken }, index) => {
      const expected = index === line.length - 1 ? "same" : "older";
      strictEqual(kinship(entry, refreshToken), expected);
    });
    strictEqual(kinship(entry, new RefreshToken("other")), "unknown");
  }));
});

Deno.test("kinship() tells a refused token of ours from one that was spent", () => {
  const ours = new RefreshToken("sk-ant-ort01-FAKE-1");
  const entry = oauthEntry("ada", "1");
  const dead = { ...entry, refusedTokenHash: ours.hash() };
  strictEqual(kinship(dead, ours), "refused");
  // As a vault from before lineage has it: the predecessor is noted there.
  const spent = new RefreshToken("spent");
  const old = { ...entry, refusedTokenHash: spent.hash() };
  strictEqual(kinship(old, spent), "older");
  strictEqual(kinship(old, ours), "same");
});

Deno.test("movedOn() keeps the sign-in's end that the owner does not know", () => {
  const entry = oauthEntry("ada", "0");
  ok(entry.credential.kind === "oauth");
  const signInEndsAt = instantFromMs(1_900_000_000_000);
  const dated = { ...entry, credential: { ...entry.credential, signInEndsAt } };
  strictEqual(
    movedOn(dated, credential("1", 5)).credential.signInEndsAt,
    signInEndsAt,
  );
});

/** A store that holds `reading` and can be written. */
function holding(
  reading: OwnerReading,
): OwnerHold & { readonly handed: OAuthCredential[] } {
  const handed: OAuthCredential[] = [];
  return {
    handed,
    read: () =>
      Promise.resolve(
        handed.length === 0 ? reading : {
          kind: "login",
          credential: handed.at(-1) ?? credential("", 0),
          identity: null,
        },
      ),
    obstacle: () => Promise.resolve(null),
    handBack(_spent, next) {
      handed.push(next);
      return Promise.resolve(true);
    },
    release: () => Promise.resolve(),
  };
}

function held(
  family: Family,
  changes: Partial<OAuthCredential> = {},
): OwnerReading {
  return {
    kind: "login",
    credential: {
      ...credential("", 1),
      accessToken: new Secret(family.accessToken),
      refreshToken: new RefreshToken(family.refreshToken),
      ...changes,
    },
    identity: null,
  };
}

Deno.test("standingOf() names who is ahead, and spends nothing where it cannot tell", async () => {
  await using server = new TokenServer();
  await using folder = new TempFolder();
  const { vault, locks } = await fileVault(folder.path);
  const ports = {
    vault,
    locks,
    client: new JsonClient({
      upstream: fetchUpstream,
      clock: realClock,
      userAgent: "tc/test",
    }),
    provider: server.provider,
    clock: realClock,
    journal: { log() {} },
    owners: null,
  };
  const over = new Secret("sk-ant-oat01-FAKE-over");
  const ada = server.mint("ada");
  const entry = {
    ...entryOf(ada, instantFromMs(1)),
    ancestors: [new RefreshToken("grandmother").hash()],
  };
  const kindOf = async (hold: OwnerHold, of = entry) =>
    (await standingOf(of, hold, ports)).kind;
  strictEqual(await kindOf(holding(held(ada))), "same");
  strictEqual(await kindOf(holding({ kind: "none" })), "elsewhere");
  strictEqual(
    await kindOf(holding({ kind: "unreadable", reason: "cut" })),
    "unclear",
  );
  const grandmother = held(ada, {
    refreshToken: new RefreshToken("grandmother"),
  });
  strictEqual(await kindOf(holding(grandmother)), "behind");
  // The provider knows whose they are, though their clocks have run out.
  const next = server.mint("ada");
  strictEqual(await kindOf(holding(held(next))), "ahead");
  const bob = server.mint("bob");
  strictEqual(await kindOf(holding(held(bob))), "elsewhere");
  // Nobody does: the store's own word counts.
  const silent = {
    ...ports,
    provider: { ...server.provider, profileUrl: "http://127.0.0.1:1/" },
  };
  const said = { ...held(next), identity: entry.identity } as OwnerReading;
  strictEqual((await standingOf(entry, holding(said), silent)).kind, "ahead");
  strictEqual(
    (await standingOf(entry, holding(held(next)), silent)).kind,
    "unclear",
  );
  strictEqual(server.tokenCalls.length, 0);

  // The access token is over and the store says nothing: it is renewed there.
  const hold = holding(held(next, { accessToken: over }));
  const standing = await standingOf(entry, hold, ports);
  ok(standing.kind === "ahead");
  strictEqual(hold.handed.length, 1);
  strictEqual(standing.theirs, hold.handed[0]);
  strictEqual(server.tokenCalls.length, 1);

  // Where it cannot be written there it is not spent.
  const locked = {
    ...holding(held(bob, { accessToken: over })),
    obstacle: () => Promise.resolve("it is read-only"),
  };
  deepStrictEqual(await standingOf(entry, locked, ports), {
    kind: "unclear",
    reason: "it is read-only",
  });
  // Without an identity of ours nothing can be compared.
  strictEqual(
    await kindOf(holding(held(bob)), { ...entry, identity: null }),
    "unclear",
  );
  strictEqual(server.tokenCalls.length, 1);
  strictEqual(server.killed, 0);
});

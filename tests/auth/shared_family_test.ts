/** What is taken over from the other holder of a login. */

import { strictEqual } from "node:assert/strict";
import { tokenHash } from "../../src/auth/account_id.ts";
import { ownersRenewal } from "../../src/auth/shared_family.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { type OAuthCredential, Secret } from "../../src/ports.ts";
import { oauthEntry } from "../fixtures/vault_kit.ts";

const NOW = instantFromMs(1_900_000_000_000);

function credentialOf(token: string): OAuthCredential {
  return {
    kind: "oauth",
    accessToken: new Secret(`sk-ant-oat01-FAKE-${token}`),
    refreshToken: new Secret(`sk-ant-ort01-FAKE-${token}`),
    expiresAt: instantFromMs(2_000_000_000_000),
    scopes: [],
  };
}

Deno.test("ownersRenewal() takes a newer login, and never one that was spent", async () => {
  const spent = credentialOf("1");
  const entry = oauthEntry("ada", "2", {
    sharedWith: { tool: "claude_code", location: "/somewhere" },
    refusedTokenHash: await tokenHash(spent.refreshToken),
  });
  const { credential, identity } = entry;
  if (credential.kind !== "oauth") throw new TypeError("no login");
  const take = (theirs: OAuthCredential) =>
    ownersRenewal(entry, credential.accessToken, {
      owners: { read: () => Promise.resolve(theirs), handBack: null },
      now: NOW,
      identify: () => Promise.resolve(identity),
    });
  // Its owner did not get the successor: it still shows what we spent.
  strictEqual(await take(spent), null);
  const newer = credentialOf("3");
  strictEqual(await take(newer), newer);
});

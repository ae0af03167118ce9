/** A renewed login that its owner's store does not take at once. */

import { match, ok, strictEqual } from "node:assert/strict";
import { instantFromMs } from "../../src/core/time.ts";
import { TcError } from "../../src/errors.ts";
import { RefreshToken } from "../../src/ports.ts";
import type { OAuthCredential } from "../../src/ports.ts";
import type {
  FamilyOwners,
  OwnerHold,
  OwnerReading,
} from "../../src/auth/shared/family_owners.ts";
import { realClock } from "../fixtures/real_ports.ts";
import {
  ended,
  entryOf,
  PATIENT,
  refresherOn,
} from "../fixtures/refresh_kit.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { TokenServer } from "../fixtures/token_server.ts";
import { fileVault, idOf, refreshTokenOf } from "../fixtures/vault_kit.ts";

/** A scanner holds the owner's file: the rename fails, `times` times. */
class HeldStore implements FamilyOwners {
  tries = 0;
  stored: OAuthCredential;
  readonly #times: number;

  constructor(stored: OAuthCredential, times: number) {
    this.stored = stored;
    this.#times = times;
  }

  hold(): Promise<OwnerHold> {
    return Promise.resolve({
      read: (): Promise<OwnerReading> =>
        Promise.resolve({
          kind: "login",
          credential: this.stored,
          identity: null,
        }),
      obstacle: () => Promise.resolve(null),
      handBack: (_spent: RefreshToken, next: OAuthCredential) => {
        this.tries++;
        if (this.tries <= this.#times) {
          throw new TcError(
            "Cannot replace the file: another program holds it",
            {
              code: "held_file",
            },
          );
        }
        this.stored = next;
        return Promise.resolve(true);
      },
      release: () => Promise.resolve(),
    });
  }
}

Deno.test("a hand-back that failed is told and goes on being tried until the owner has the login", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const opened = await fileVault(folder.path);
  const family = server.mint("a");
  const entry = entryOf(family, ended(), {
    sharedWith: { tool: "claude_code", location: "/home/x/.claude" },
  });
  await opened.vault.put(entry);
  ok(entry.credential.kind === "oauth");
  const store = new HeldStore(
    { ...entry.credential, expiresAt: instantFromMs(1) },
    3,
  );
  // The pauses between two tries pass at once, and limits of time stay.
  const clock = {
    ...realClock,
    sleep: (ms: number, signal?: AbortSignal) =>
      realClock.sleep(ms <= 5_000 ? Math.min(ms, 20) : ms, signal),
  };
  const { refresher, journal } = refresherOn(opened, server, {
    owners: store,
    clock,
  });
  const authorization = await refresher.authorization(idOf("a"), PATIENT);
  // The login serves here although its owner does not have it yet.
  strictEqual(authorization.token.reveal(), family.accessToken);
  strictEqual(server.tokenCalls.length, 1);
  const told = journal.lines.find(({ event }) =>
    event === "token_not_handed_back"
  );
  strictEqual(told?.level, "error");
  match(String(told?.fields["reason"]), /another program holds it/);
  strictEqual(told?.fields["place"], "/home/x/.claude");

  const endAt = performance.now() + 10_000;
  while (store.tries < 4) {
    ok(performance.now() < endAt, `only ${store.tries} tries`);
    await realClock.sleep(10);
  }
  await refresher.close();
  strictEqual(
    RefreshToken.toStore(store.stored.refreshToken),
    family.refreshToken,
  );
  strictEqual(
    refreshTokenOf(await opened.vault.get(idOf("a"))),
    family.refreshToken,
  );
  strictEqual(server.tokenCalls.length, 1, "the token was spent once");
});

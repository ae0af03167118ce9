import { join } from "node:path";
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { useAccount } from "../../src/swap/use_account.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { movedOn } from "../../src/lineage.ts";
import type { Vault } from "../../src/ports.ts";
import { PATIENT, refresherOn } from "../fixtures/refresh_kit.ts";
import { currentAccount, loginText, SwapKit } from "../fixtures/swap_kit.ts";
import { idOf } from "../fixtures/vault_kit.ts";
import { strictMode } from "../fixtures/file_abilities.ts";

async function stored(kit: SwapKit): Promise<Record<string, unknown>> {
  return JSON.parse(
    await Deno.readTextFile(kit.home.join(".claude", ".credentials.json")),
  );
}

function credentials(kit: SwapKit): string {
  return join(kit.home.path, ".claude", ".credentials.json");
}

Deno.test("useAccount() writes the login and keeps what stands beside it", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  const { claudeAiOauth } = JSON.parse(loginText(kit.api.account("home")));
  kit.write(
    credentials(kit),
    JSON.stringify({
      mcpOAuth: { server: { token: "kept" } },
      claudeAiOauth: { ...claudeAiOauth, odd: "of home" },
    }),
  );
  await useAccount(idOf("work"), kit.ports);
  const document = await stored(kit);
  deepStrictEqual(document["mcpOAuth"], { server: { token: "kept" } });
  const login = document["claudeAiOauth"] as Record<string, unknown>;
  strictEqual(login["accessToken"], kit.api.account("work").token());
  strictEqual(login["odd"], undefined);
  strictEqual(login["subscriptionType"], "max");
  await strictMode(credentials(kit), 0o600);
});

Deno.test("useAccount() creates a missing store", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  const { isWritten } = await useAccount(idOf("work"), kit.ports);
  ok(isWritten);
  strictEqual(await kit.liveToken(), kit.api.account("work").token());
  deepStrictEqual((await kit.entry("work")).sharedWith, {
    tool: "claude_code",
    location: credentials(kit),
  });
});

Deno.test("useAccount() a second time writes nothing", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  await useAccount(idOf("work"), kit.ports);
  const { isWritten } = await useAccount(idOf("work"), kit.ports);
  strictEqual(isWritten, false);
});

Deno.test("a login that leaves Claude Code is no longer shared in its vault entry", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  await useAccount(idOf("work"), kit.ports);
  await useAccount(idOf("home"), kit.ports);
  strictEqual((await kit.entry("work")).sharedWith, null);
  strictEqual(await kit.liveToken(), kit.api.account("home").token());
});

Deno.test("useAccount() renews a login that is at its end first", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  const entry = await kit.entry("work");
  const { credential } = entry;
  if (credential.kind !== "oauth") throw new TypeError("no login");
  await kit.ports.vault.put({
    ...entry,
    credential: { ...credential, expiresAt: kit.ports.clock.now() },
  });
  await useAccount(idOf("work"), kit.ports);
  const live = await kit.liveToken();
  ok(live !== null && live !== credential.accessToken.reveal());
  const after = (await kit.entry("work")).credential;
  strictEqual(after.kind === "oauth" && after.accessToken.reveal(), live);
});

Deno.test("useAccount() never hands out a token that a server renews meanwhile", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  const { vault, locks, provider } = kit.ports;
  const savedAt = instantFromMs(0);
  await vault.update(idOf("work"), (entry) => ({ ...entry, savedAt }));
  const { refresher } = refresherOn({ vault, locks }, { provider }, {
    upstream: kit.upstream,
  });
  const served = await refresher.authorization(idOf("work"), PATIENT);
  let updates = 0;
  const hooked: Vault = {
    list: () => vault.list(),
    get: (id) => vault.get(id),
    put: (entry) => vault.put(entry),
    remove: (id) => vault.remove(id),
    describe: () => vault.describe(),
    async update(id, change) {
      // The first is the swap's own look; then the server meets a 401.
      if (++updates === 2) await refresher.renew(served, PATIENT);
      return await vault.update(id, change);
    },
  };
  await useAccount(idOf("work"), { ...kit.ports, vault: hooked });
  ok(updates >= 2);
  const { credential } = await kit.entry("work");
  ok(
    credential.kind === "oauth" && !credential.accessToken.equals(served.token),
  );
  strictEqual(await kit.liveToken(), credential.accessToken.reveal());
});

Deno.test("what Claude Code renewed itself comes back into the vault", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  await useAccount(idOf("work"), kit.ports);
  await renewAsClaude(kit);
  const live = await kit.liveToken();
  const handed = await useAccount(idOf("home"), kit.ports);
  strictEqual(handed.before?.label, "work");
  const { credential } = await kit.entry("work");
  strictEqual(
    credential.kind === "oauth" && credential.accessToken.reveal(),
    live,
  );
  // And it is alive: work can be had again.
  await useAccount(idOf("work"), kit.ports);
  strictEqual(await kit.liveToken(), live);
});

Deno.test("what was read before the lock never overwrites the vault", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  await useAccount(idOf("work"), kit.ports);
  // The client renews twice, and tc has seen neither.
  await renewAsClaude(kit);
  const { vault, locks, place } = kit.ports;
  let isFirst = true;
  const late = {
    ...kit.ports,
    locks: {
      async acquire(...args: Parameters<typeof locks.acquire>) {
        if (isFirst) {
          isFirst = false;
          // While we wait a server takes the second successor.
          await renewAsClaude(kit);
          const { reading } = await place.read();
          if (reading.kind !== "found") throw new TypeError("no login");
          const { credential } = reading.login;
          await vault.update(
            idOf("work"),
            (entry) => movedOn(entry, credential),
          );
        }
        return await locks.acquire(...args);
      },
    },
  };
  await currentAccount(late);
  const { credential } = await kit.entry("work");
  strictEqual(
    credential.kind === "oauth" && credential.accessToken.reveal(),
    await kit.liveToken(),
  );
  strictEqual(kit.api.families().reuses, 0);
});

Deno.test("a renewed login whose access token has ended is told by its successor", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  await useAccount(idOf("work"), kit.ports);
  await renewAsClaude(kit);
  const document = await stored(kit);
  kit.write(
    credentials(kit),
    JSON.stringify({
      claudeAiOauth: { ...document["claudeAiOauth"] as object, expiresAt: 1 },
    }),
  );
  await useAccount(idOf("home"), kit.ports);
  await useAccount(idOf("work"), kit.ports);
  strictEqual((await currentAccount(kit.ports))?.label, "work");
});

Deno.test("a login that is not in the pool is never overwritten", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  const text = loginText(kit.api.account("stranger"));
  kit.write(credentials(kit), text);
  await rejects(useAccount(idOf("work"), kit.ports), { code: "foreign_login" });
  strictEqual(await Deno.readTextFile(credentials(kit)), text);
});

Deno.test("a login that cannot be identified for now is never overwritten", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  const { claudeAiOauth } = JSON.parse(loginText(kit.api.account("home")));
  const text = JSON.stringify({
    claudeAiOauth: { ...claudeAiOauth, refreshToken: "sk-ant-ort01-FAKE-x" },
  });
  kit.write(credentials(kit), text);
  const ports = {
    ...kit.ports,
    provider: { ...kit.ports.provider, profileUrl: "http://127.0.0.1:1/" },
  };
  await rejects(useAccount(idOf("work"), ports), { code: "unclear_login" });
  strictEqual(await Deno.readTextFile(credentials(kit)), text);
});

Deno.test("a blank or half-written login is never stored and may be replaced", async () => {
  for (
    const text of [
      "",
      `{"claudeAiOauth":{"accessToken":"","refreshToken":"","expiresAt":0}}`,
      `{"claudeAiOauth":{"accessToken":"sk-ant-oat01-FAKE`,
    ]
  ) {
    await using kit = await SwapKit.make();
    await kit.add("work");
    const before = await kit.entry("work");
    kit.write(credentials(kit), text);
    await useAccount(idOf("work"), kit.ports);
    strictEqual(await kit.liveToken(), kit.api.account("work").token());
    deepStrictEqual((await kit.entry("work")).credential, before.credential);
  }
});

Deno.test("useAccount() shows the account that it gives, and all that was noted of it", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work", "home");
  const work = kit.api.account("work").identity;
  const noted = {
    accountUuid: work.accountUuid,
    organizationUuid: work.organizationUuid,
    emailAddress: work.email,
    displayName: "Ada",
  };
  kit.write(
    kit.ports.folder.identityFile,
    `{
  // a hand's own
  "numStartups": 3,
  "oauthAccount": ${JSON.stringify(noted)},
  "projects": {}
}`.replace("  // a hand's own\n", ""),
  );
  await useAccount(idOf("home"), kit.ports);
  const shown = JSON.parse(
    await Deno.readTextFile(kit.ports.folder.identityFile),
  );
  const home = kit.api.account("home").identity;
  strictEqual(shown.oauthAccount.accountUuid, home.accountUuid);
  strictEqual(shown.oauthAccount.emailAddress, home.email);
  strictEqual(shown.numStartups, 3);
  await useAccount(idOf("work"), kit.ports);
  const again = JSON.parse(
    await Deno.readTextFile(kit.ports.folder.identityFile),
  );
  deepStrictEqual(again.oauthAccount, noted);
});

Deno.test("useAccount() of an API key says what to do", async () => {
  await using kit = await SwapKit.make();
  await kit.addKey("spare");
  await rejects(useAccount(idOf("spare"), kit.ports), { code: "usage" });
});

/** A refresh as the client makes it: spends the token, writes the successor. */
async function renewAsClaude(kit: SwapKit): Promise<void> {
  const document = await stored(kit);
  const login = document["claudeAiOauth"] as Record<string, unknown>;
  const response = await fetch(kit.api.endpoints.token, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      grant_type: "refresh_token",
      refresh_token: login["refreshToken"],
      client_id: kit.ports.provider.clientId,
    }),
  });
  const answer = await response.json();
  strictEqual(response.status, 200, JSON.stringify(answer));
  const next = {
    ...login,
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token,
    expiresAt: Date.now() + answer.expires_in * 1_000 + 1_000,
  };
  kit.write(
    credentials(kit),
    JSON.stringify({ ...document, claudeAiOauth: next }),
  );
}

Deno.test("useAccount() keeps every store that it cannot read, each in a file of its own", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  const damaged = [
    '{"claudeAiOauth":{"accessToken":"sk-ant-oat01-FAKE-1',
    "{2",
  ];
  for (const text of [...damaged, damaged[0] ?? ""]) {
    kit.write(credentials(kit), text);
    const { isWritten, isCopyKept } = await useAccount(
      idOf("work"),
      kit.ports,
    );
    ok(isWritten);
    ok(isCopyKept);
    strictEqual(await kit.liveToken(), kit.api.account("work").token());
  }
  const copy = `${credentials(kit)}.unreadable`;
  strictEqual(await Deno.readTextFile(copy), damaged[0]);
  strictEqual(await Deno.readTextFile(`${copy}.2`), damaged[1]);
  // The same text a second time is kept already.
  await rejects(Deno.stat(`${copy}.3`), Deno.errors.NotFound);
});

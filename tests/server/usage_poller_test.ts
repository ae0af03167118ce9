import { OWN_TURNS } from "../../src/store/shared/poll_turns.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { UsagePoller } from "../../src/server/worker/usage_poller.ts";
import { JsonClient } from "../../src/auth/json_client.ts";
import type { AccountProfile } from "../../src/auth/sign_in/profile.ts";
import type { QuotaObservation } from "../../src/core/quota/quota.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { CredentialError } from "../../src/errors.ts";
import {
  type CredentialSource,
  RefreshToken,
  Secret,
} from "../../src/ports.ts";
import { type AccountRecord, mergeAccounts } from "../../src/store/accounts.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { realEntropy } from "../fixtures/real_ports.ts";
import { MemoryJournal } from "../fixtures/refresh_kit.ts";
import { profileOf, providerAt } from "../fixtures/token_server.ts";
import { oauthEntry } from "../fixtures/vault_kit.ts";

interface Asked {
  readonly account: string;
  readonly atMs: number;
}

interface Answer {
  readonly status: number;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: unknown;
}

const USAGE = {
  five_hour: { utilization: 33, resets_at: "2099-01-01T00:00:00Z" },
  seven_day: { utilization: 1, resets_at: null },
};

/** A poller of `records` whose usage endpoint answers by `answer`. */
function stage(
  records: readonly AccountRecord[],
  answer: (account: string) => Answer = () => ({ status: 200, body: USAGE }),
) {
  const clock = new ManualClock();
  const asked: Asked[] = [];
  const observed: QuotaObservation[] = [];
  const identified: AccountProfile[] = [];
  const renewed: string[] = [];
  const settings = { poll: true, pollSeconds: 600 };
  const credentials: CredentialSource = {
    authorization(accountId) {
      if (accountId === "dead") {
        throw new CredentialError("Cannot use dead: gone", {
          code: "needs_login",
          accountId,
          retryAt: null,
        });
      }
      return Promise.resolve({
        accountId,
        scheme: "oauth",
        token: new Secret(accountId),
        origin: null,
        modelMap: null,
      });
    },
    renew(refused) {
      renewed.push(refused.accountId);
      return Promise.resolve(null);
    },
  };
  const client = new JsonClient({
    clock,
    userAgent: "tc/test",
    upstream: {
      send({ target, headers }) {
        const account = new Map(headers).get("authorization")?.slice(7) ?? "";
        const isUsage = target.endsWith("/usage");
        if (isUsage) asked.push({ account, atMs: clock.monotonicMs() });
        const { status, headers: lines, body } = isUsage
          ? answer(account)
          : { status: 200, headers: [], body: profileOf(account) };
        const complete = new TextEncoder().encode(JSON.stringify(body ?? {}));
        return Promise.resolve({
          status,
          headers: lines ?? [],
          body: { complete, read: () => Promise.resolve(null), cancel() {} },
        });
      },
    },
  });
  const poller = new UsagePoller({
    clock,
    entropy: realEntropy,
    journal: new MemoryJournal(),
    client,
    provider: providerAt("http://127.0.0.1:1"),
    credentials,
    accounts: () => records,
    settings: () => settings,
    turns: OWN_TURNS,
    observed: (observation) => void observed.push(observation),
    identified: (_id, profile) => void identified.push(profile),
  });
  return { poller, clock, asked, observed, identified, renewed, settings };
}

function records(...ids: string[]): readonly AccountRecord[] {
  return mergeAccounts(ids.map((id) => oauthEntry(id, id)), null).accounts;
}

function minutesOf(asked: readonly Asked[], account: string): number[] {
  return asked.filter((one) => one.account === account)
    .map(({ atMs }) => atMs / 60_000);
}

Deno.test("UsagePoller polls every account at the start, spaced, then at its interval", async () => {
  const kit = stage(records("a", "b", "c"));
  kit.poller.start();
  await kit.clock.advance(60_000, 250);
  deepStrictEqual(kit.asked.map(({ account }) => account), ["a", "b", "c"]);
  const gaps = kit.asked.slice(1).map(({ atMs }, at) =>
    atMs - (kit.asked[at]?.atMs ?? 0)
  );
  ok(gaps.every((gap) => gap >= 1_000), String(gaps));
  await kit.clock.advance(3_600_000, 5_000);
  for (const account of ["a", "b", "c"]) {
    const minutes = minutesOf(kit.asked, account);
    // Every 7 to 13 minutes, and the look that notices it.
    ok(minutes.length >= 5 && minutes.length <= 9, String(minutes));
  }
  const first = kit.observed[0];
  strictEqual(first?.source, "usage_endpoint");
  strictEqual(first.windows.find(({ key }) => key === "5h")?.utilization, 0.33);
  strictEqual(first.windows.find(({ key }) => key === "7d")?.utilization, 0.01);
  // Whose an account is does not change by the hour.
  strictEqual(kit.identified.length, 3);
  strictEqual(kit.identified[0]?.tier, "max_20x");
  await kit.poller.stop();
});

Deno.test("UsagePoller respects the endpoint's own 429 and backs off", async () => {
  const kit = stage(records("a"), () => ({
    status: 429,
    headers: [["retry-after", "2895"]],
  }));
  kit.poller.start();
  await kit.clock.advance(6 * 3_600_000, 20_000);
  const [first = 0, second = 0, third = 0] = minutesOf(kit.asked, "a");
  ok(second - first > 48.2, String(second - first));
  ok(third - second > 48.2, String(third - second));
  // 15 minutes doubled each time are longer than what it asks for by now.
  ok(kit.asked.length <= 5, String(kit.asked.length));
  strictEqual(kit.observed.length, 0);
  await kit.poller.stop();
});

Deno.test("UsagePoller lets a 403 rest for hours and renews once after a 401", async () => {
  const statuses = new Map([["a", 403], ["b", 401]]);
  const kit = stage(
    records("a", "b"),
    (account) => ({ status: statuses.get(account) ?? 200 }),
  );
  kit.poller.start();
  await kit.clock.advance(1_800_000, 5_000);
  strictEqual(minutesOf(kit.asked, "a").length, 1);
  const turns = minutesOf(kit.asked, "b").length;
  deepStrictEqual(kit.renewed, Array.from({ length: turns }, () => "b"));
  await kit.poller.stop();
});

Deno.test("UsagePoller polls no key, no disabled account, and no expired shared login", async () => {
  const past = instantFromMs(1_600_000_000_000);
  const entries = [
    oauthEntry("key", "x", {
      kind: "api_key",
      credential: { kind: "api_key", token: new Secret("sk-ant-api03-FAKE") },
    }),
    oauthEntry("off", "x"),
    oauthEntry("dead", "x"),
    oauthEntry("shared", "x", {
      sharedWith: { tool: "claude_code", location: "/nowhere" },
      credential: {
        kind: "oauth",
        accessToken: new Secret("FAKE"),
        refreshToken: new RefreshToken("FAKE"),
        expiresAt: past,
        scopes: [],
        signInEndsAt: null,
      },
    }),
  ];
  const { accounts } = mergeAccounts(entries, null);
  const kit = stage(
    accounts.map((record) =>
      record.account.id === "off"
        ? { ...record, account: { ...record.account, enabled: false } }
        : record
    ),
  );
  kit.poller.start();
  await kit.clock.advance(120_000);
  deepStrictEqual(kit.asked, []);
  await kit.poller.stop();
});

Deno.test("UsagePoller polls nothing while it is switched off", async () => {
  const kit = stage(records("a"));
  kit.settings.poll = false;
  kit.poller.start();
  await kit.clock.advance(3_600_000, 5_000);
  deepStrictEqual(kit.asked, []);
  kit.settings.poll = true;
  await kit.clock.advance(10_000);
  strictEqual(kit.asked.length, 1);
  await kit.poller.stop();
});

Deno.test("UsagePoller does not depend on the wall clock", async () => {
  const kit = stage(records("a"));
  kit.poller.start();
  await kit.clock.advance(60_000, 1_000);
  strictEqual(kit.asked.length, 1);
  // The clock is set back by five hours.
  kit.clock.suspend(-5 * 3_600_000);
  await kit.clock.advance(3_600_000, 5_000);
  ok(kit.asked.length >= 4, String(kit.asked.length));
  await kit.poller.stop();
});

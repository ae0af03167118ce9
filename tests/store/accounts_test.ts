import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { instantFromMs } from "../../src/core/time.ts";
import {
  addAccount,
  dropSecrets,
  removeAccount,
  renameAccount,
  setCapUtilization,
  setEnabled,
  setLeasesMax,
  setPriority,
} from "../../src/store/account_edits.ts";
import { accountRows } from "../../src/store/account_rows.ts";
import {
  accountEvents,
  duplicates,
  freeLabel,
  mergeAccounts,
  type MergedAccounts,
} from "../../src/store/accounts.ts";
import { idOf, oauthEntry } from "../fixtures/vault_kit.ts";

const AT = instantFromMs(1_000);
const A = oauthEntry("a", "1");
const B = oauthEntry("b", "2");

/** Two organisations of one person, with one e-mail. */
const ORG_1 = oauthEntry("o1", "3", {
  label: "me",
  email: "me@example.test",
  identity: { accountUuid: "person", organizationUuid: "one" },
});
const ORG_2 = oauthEntry("o2", "4", {
  label: "me-2",
  email: "me@example.test",
  identity: { accountUuid: "person", organizationUuid: "two" },
});

function merge(
  entries: Parameters<typeof mergeAccounts>[0],
  accounts: unknown,
): MergedAccounts {
  const document = accounts === undefined ? {} : { accounts };
  return mergeAccounts(entries, accountRows(document, "config.json"));
}

function labels(merged: MergedAccounts): string[] {
  return merged.accounts.map(({ account }) => account.label);
}

Deno.test("mergeAccounts() without a list takes every account of the vault", () => {
  const merged = merge([A, B], undefined);
  deepStrictEqual(labels(merged), ["a", "b"]);
  deepStrictEqual(merged.accounts[0]?.account, {
    id: idOf("a"),
    label: "a",
    kind: "subscription",
    tier: "max_5x",
    priority: 0,
    enabled: true,
    leasesMax: null,
    utilizationMax: null,
    costMax: null,
    signInEndsAt: null,
  });
});

Deno.test("mergeAccounts() takes settings from the row and order from priority, then the list", () => {
  const merged = merge([A, B], [
    { id: "b", name: "second", priority: 2, enabled: false, maxInFlight: 4 },
    { id: "a", capUtilization: 0.9 },
  ]);
  deepStrictEqual(labels(merged), ["a", "second"]);
  const [first, second] = merged.accounts;
  strictEqual(second?.account.priority, 2);
  strictEqual(second?.account.enabled, false);
  strictEqual(second?.account.leasesMax, 4);
  strictEqual(first?.account.utilizationMax, 0.9);
});

Deno.test("mergeAccounts() keeps an account out that was taken off the list", () => {
  const merged = merge([A, B], [{ id: "a" }]);
  deepStrictEqual(labels(merged), ["a"]);
  deepStrictEqual(merged.unlisted.map(({ id }) => id), ["b"]);
});

Deno.test("mergeAccounts() names the row that has no credential", () => {
  const merged = merge([A], [
    { id: "a" },
    { name: "new", type: "oauth", refreshToken: "sk-ant-ort01-FAKE" },
  ]);
  deepStrictEqual(labels(merged), ["a"]);
  deepStrictEqual(
    merged.orphans.map(({ name, hasSecret }) => [name, hasSecret]),
    [
      ["new", true],
    ],
  );
});

Deno.test("mergeAccounts() reads the rows of teamclaude and maxpool", () => {
  const merged = merge([A, B], [
    { name: "x", type: "oauth", accountUuid: "acc-a", disabled: true },
    {
      name: "y",
      type: "oauth",
      accountUuid: "acc-b",
      orgUuid: "org-b",
      enabled: true,
    },
  ]);
  deepStrictEqual(
    merged.accounts.map(({ account }) => [
      account.id,
      account.label,
      account.enabled,
    ]),
    [["a", "x", false], ["b", "y", true]],
  );
});

Deno.test("mergeAccounts() keeps two organisations of one e-mail apart", () => {
  deepStrictEqual(labels(merge([ORG_1, ORG_2], undefined)), ["me", "me-2"]);
  const merged = merge([ORG_1, ORG_2], [
    { accountUuid: "person", orgUuid: "two", name: "second", enabled: false },
    { accountUuid: "person", orgUuid: "one", name: "first" },
  ]);
  deepStrictEqual(
    merged.accounts.map(({ account, identity }) => [
      account.label,
      identity?.organizationUuid,
      account.enabled,
    ]),
    [["second", "two", false], ["first", "one", true]],
  );
});

Deno.test("mergeAccounts() does not guess where a row could mean two accounts", () => {
  const merged = merge([ORG_1, ORG_2], [
    { accountUuid: "person", name: "unknown" },
  ]);
  deepStrictEqual(labels(merged), []);
  strictEqual(merged.orphans.length, 1);
  const named = merge([ORG_1, ORG_2], [{
    accountUuid: "person",
    name: "me-2",
  }]);
  deepStrictEqual(named.accounts.map(({ account }) => account.id), ["o2"]);
});

Deno.test("mergeAccounts() gives every account a label of its own", () => {
  const merged = merge([A, B], [
    { id: "a", name: "same" },
    { id: "b", name: "same" },
  ]);
  deepStrictEqual(labels(merged), ["same", "same-2"]);
  strictEqual(freeLabel("x", new Set(["x", "x-2"])), "x-3");
});

Deno.test("accountRows() names file, key and what is allowed", () => {
  const table: readonly (readonly [unknown, string])[] = [
    ["no", "accounts in c.json: it must be a list"],
    [[1], "accounts[0] in c.json: it must be an object"],
    [
      [{}, { priority: "high" }],
      "accounts[1].priority in c.json: it must be a number, lower goes first",
    ],
    [
      [{ maxInFlight: 0 }],
      "accounts[0].maxInFlight in c.json: it must be a whole number from 1 to 1000, or null",
    ],
    [
      [{ id: "../x" }],
      "accounts[0].id in c.json: it must be lower-case letters, digits, - and _, at most 64",
    ],
    [
      [{ upstream: "file:///etc/passwd" }],
      "accounts[0].upstream in c.json: it must be a URL such as https://api.example.com, or null",
    ],
  ];
  for (const [accounts, message] of table) {
    throws(() => accountRows({ accounts }, "c.json"), {
      code: "bad_config",
      message: `Cannot use ${message}`,
    });
  }
});

Deno.test("accountEvents() tells what was added, changed and removed, and nothing else", () => {
  const before = merge([A, B], undefined).accounts;
  const c = oauthEntry("c", "5");
  const after = merge([A, B, c], [
    { id: "a" },
    { id: "c", priority: 1 },
  ]).accounts;
  deepStrictEqual(
    accountEvents(before, after, AT).map((event) => [
      event.kind,
      "accountId" in event
        ? event.accountId
        : "account" in event
        ? event.account.id
        : null,
    ]),
    [["account_removed", "b"], ["account_put", "c"]],
  );
  deepStrictEqual(accountEvents(after, after, AT), []);
  // One who comes last needs no new order.
  deepStrictEqual(
    accountEvents(after, [...after, ...before.slice(1)], AT).map((event) =>
      event.kind
    ),
    ["account_put"],
  );
  deepStrictEqual(accountEvents(before, before.toReversed(), AT), [
    { kind: "accounts_ordered", order: [B.id, A.id] },
  ]);
});

Deno.test("duplicates() finds one account that is there twice, not two organisations", () => {
  const again = oauthEntry("again", "9", { identity: A.identity });
  deepStrictEqual(
    duplicates([A, B, ORG_1, ORG_2, again]).map((group) =>
      group.map(({ id }) => id)
    ),
    [["a", "again"]],
  );
});

Deno.test("edits keep unknown keys, order and the rows of others", () => {
  const document = {
    "x-mine": 1,
    accounts: [
      { name: "a", colour: "red", id: "a" },
      { name: "new", accessToken: "sk-ant-oat01-FAKE" },
    ],
    proxy: { port: 3456 },
  };
  const entries = [A];
  const id = idOf("a");
  const after = [
    renameAccount(entries, id, "work"),
    setEnabled(entries, id, "disabled"),
    setPriority(entries, id, 3),
    setLeasesMax(entries, id, 5),
    setCapUtilization(entries, id, 0.8),
  ].reduce((value: object, edit) => edit(value as typeof document), document);
  deepStrictEqual(
    JSON.stringify(after),
    JSON.stringify({
      "x-mine": 1,
      accounts: [
        {
          name: "work",
          colour: "red",
          id: "a",
          enabled: false,
          priority: 3,
          maxInFlight: 5,
          capUtilization: 0.8,
        },
        { name: "new", accessToken: "sk-ant-oat01-FAKE" },
      ],
      proxy: { port: 3456 },
    }),
  );
});

Deno.test("edits write out the list where the config had none, whole", () => {
  deepStrictEqual(setEnabled([A, B], idOf("b"), "disabled")({}), {
    accounts: [{ id: "a", name: "a" }, { id: "b", name: "b", enabled: false }],
  });
  deepStrictEqual(removeAccount([A, B], idOf("a"))({}), {
    accounts: [{ id: "b", name: "b" }],
  });
});

Deno.test("edits give the row of another tool its id and drop its other spelling", () => {
  deepStrictEqual(
    setEnabled([A], idOf("a"), "enabled")({
      accounts: [{ name: "x", accountUuid: "acc-a", disabled: true }],
    }),
    {
      accounts: [{ id: "a", name: "x", accountUuid: "acc-a", enabled: true }],
    },
  );
});

Deno.test("addAccount() lists an account once, however often it is called", () => {
  const add = addAccount([A, B], idOf("b"), { priority: 1 });
  const once = add({ accounts: [{ id: "a", name: "a" }] });
  deepStrictEqual(once, {
    accounts: [{ id: "a", name: "a" }, { id: "b", name: "b", priority: 1 }],
  });
  deepStrictEqual(add(once), once);
});

Deno.test("renameAccount() refuses a name that another account has", () => {
  throws(
    () => renameAccount([A, B], idOf("a"), "b")({}),
    {
      code: "usage",
      message: 'Cannot name the account "b": another one has that name',
    },
  );
});

Deno.test("a limit can be taken away again", () => {
  const document = {
    accounts: [{ id: "a", maxInFlight: 3, capUtilization: 1 }],
  };
  const bare = setCapUtilization([A], idOf("a"), null)(
    setLeasesMax([A], idOf("a"), null)(document),
  );
  deepStrictEqual(bare, { accounts: [{ id: "a" }] });
});

Deno.test("dropSecrets() takes tokens out of the rows that are in the vault", () => {
  const row = {
    name: "a",
    accountUuid: "acc-a",
    accessToken: "FAKE",
    refreshToken: "FAKE",
    expiresAt: 1,
    priority: 2,
  };
  const other = { name: "other", apiKey: "FAKE" };
  deepStrictEqual(
    dropSecrets([A], new Set([idOf("a")]))({ accounts: [row, other] }),
    {
      accounts: [
        { id: "a", name: "a", accountUuid: "acc-a", priority: 2 },
        other,
      ],
    },
  );
});

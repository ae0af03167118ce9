/** What a person may call an account: names of today, ids, names at the login. */

import { deepStrictEqual, throws } from "node:assert/strict";
import { findAccount } from "../../src/store/account_desk.ts";
import { accountRows } from "../../src/store/account_rows.ts";
import { mergeAccounts } from "../../src/store/accounts.ts";
import { idOf, oauthEntry } from "../fixtures/vault_kit.ts";

const WORK = oauthEntry("a", "1", { label: "ada@example.test" });
const ORG_1 = oauthEntry("o1", "3", { label: "me", email: "me@example.test" });
const ORG_2 = oauthEntry("o2", "4", {
  label: "me-2",
  email: "me@example.test",
});

function listing(accounts: unknown) {
  const entries = [WORK, ORG_1, ORG_2];
  const rows = accountRows({ accounts }, "config.json");
  return { ...mergeAccounts(entries, rows), entries, damaged: [] };
}

Deno.test("findAccount() knows a renamed account by the name of its login as well", () => {
  // Messages of the vault print the name at the login: it must be of use.
  const renamed = listing([
    { id: idOf("a"), name: "office" },
    { id: idOf("o1"), name: "me" },
    { id: idOf("o2"), name: "two" },
  ]);
  const office = { id: idOf("a"), label: "office" };
  for (const wanted of ["office", idOf("a"), "ada@example.test"]) {
    deepStrictEqual(findAccount(renamed, wanted), office);
  }
  deepStrictEqual(findAccount(renamed, "me-2").label, "two");
  for (const wanted of ["me@example.test", "nobody"]) {
    throws(() => findAccount(renamed, wanted), { code: "no_such_account" });
  }
});

Deno.test("findAccount() takes the name of today before a name of a login", () => {
  const crossed = listing([
    { id: idOf("a"), name: "office" },
    { id: idOf("o1"), name: "ada@example.test" },
  ]);
  deepStrictEqual(findAccount(crossed, "ada@example.test").id, idOf("o1"));
});

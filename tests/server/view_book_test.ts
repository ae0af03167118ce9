import "../fixtures/clean_environment.ts";
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { ViewBook } from "../../src/server/worker/activity.ts";
import { account, accountId, NOW, patch, poolOf } from "../fixtures/pool.ts";
import { requestRecord } from "../fixtures/ledger_rows.ts";

Deno.test("ViewBook makes the view of an ended request once, and anew once its account is renamed", () => {
  const pool = poolOf([{ account: account("work") }]);
  const record = requestRecord({ accountId: accountId("work") });
  const views = new ViewBook();
  const [first] = views.ended([record], pool);
  strictEqual(views.ended([record], pool)[0], first);
  strictEqual(first?.account, "work");
  const renamed = patch(pool, "work", (state) => ({
    ...state,
    account: { ...state.account, label: "w2" },
  }));
  strictEqual(views.ended([record], renamed)[0]?.account, "w2");
});

Deno.test("ViewBook makes the view of a session anew when it is used", () => {
  const pool = poolOf([{ account: account("work") }]);
  const tally = {
    session: "s-1",
    accountId: accountId("work"),
    project: null,
    usage: {
      requests: 1,
      input: 1,
      cacheRead: 0,
      cacheWrite: 0,
      output: 1,
      rebuilds: 0,
      costNano: null,
      paidNano: null,
    },
    firstSeenAt: NOW,
    lastUsedAt: NOW,
    lastError: null,
  };
  const views = new ViewBook();
  const [first] = views.sessions([tally], [], pool);
  strictEqual(views.sessions([tally], [], pool)[0], first);
  const used = { ...tally, usage: { ...tally.usage, requests: 2 } };
  deepStrictEqual(
    views.sessions([used], [], pool)[0]?.usage.requests,
    2,
  );
});

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { explainLines } from "../../src/control/explain_text.ts";
import { explainView, findBinding } from "../../src/control/explain_view.ts";
import type { AccountId, ConversationId } from "../../src/core/account.ts";
import {
  emptyPool,
  type PoolSnapshot,
  reduce,
  type RouteFacts,
  snapshot,
} from "../../src/core/pool.ts";
import { after, instantFromMs, MINUTE_MS } from "../../src/core/time.ts";
import { leaseId } from "../fixtures/pool.ts";
import { DEFAULT_ROUTE_SETTINGS } from "../../src/core/settings.ts";

const START = instantFromMs(Date.UTC(2026, 10, 21, 12, 0, 0));
const SESSION = "5f2c9100-0000-4000-8000-000000000001";

const FACTS: RouteFacts = {
  conversation: SESSION as ConversationId,
  parent: null,
  families: ["opus"],
  contextTokens: 20_000,
  cacheTtlMs: 5 * MINUTE_MS,
  isCompacted: false,
  isSide: false,
  isPrompt: true,
};

function pool(names: readonly string[], isBound: boolean): PoolSnapshot {
  let state = emptyPool(DEFAULT_ROUTE_SETTINGS);
  for (const name of names) {
    state = reduce(state, {
      kind: "account_put",
      at: START,
      account: {
        id: name as AccountId,
        label: name,
        kind: "subscription",
        tier: "max_5x",
        priority: 0,
        enabled: name !== "off",
        leasesMax: null,
        utilizationMax: null,
      },
    });
  }
  if (isBound) {
    state = reduce(state, {
      kind: "lease_opened",
      leaseId: leaseId("l"),
      accountId: "work" as AccountId,
      query: FACTS,
      at: START,
    });
    state = reduce(state, {
      kind: "verdict_given",
      leaseId: leaseId("l"),
      verdict: { kind: "served" },
      at: START,
    });
    state = reduce(state, {
      kind: "lease_closed",
      leaseId: leaseId("l"),
      usage: null,
      at: START,
    });
  }
  return snapshot(state, after(START, 10_000));
}

Deno.test("explainView() says where a bound session stays, and why", () => {
  const view = explainView(pool(["work", "home", "off"], true), "5f2c91", []);
  strictEqual(view.session, SESSION);
  strictEqual(view.binding?.account, "work");
  deepStrictEqual(
    [view.decision.kind, view.decision.account],
    ["use", "work"],
  );
  const off = view.considered.find(({ account }) => account === "off");
  deepStrictEqual([off?.mayServe, off?.reason], [false, "off"]);
  deepStrictEqual(
    view.considered.filter(({ isChosen }) => isChosen).map((c) => c.account),
    ["work"],
  );
});

Deno.test("explainView() asks without any effect", () => {
  const before = pool(["work", "home"], true);
  const copy = JSON.stringify([...before.accounts.values()]);
  explainView(before, SESSION, []);
  strictEqual(JSON.stringify([...before.accounts.values()]), copy);
  strictEqual(before.bindings.size, 1);
});

Deno.test("explainView() of a pool without accounts is a refusal", () => {
  const view = explainView(pool([], false), null, []);
  deepStrictEqual(
    [view.decision.kind, view.decision.reason, view.binding],
    ["refuse", "no_account", null],
  );
  match(explainLines(view, "UTC").join("\n"), /there is no account/);
});

Deno.test("findBinding() takes the start of an id, and nothing else", () => {
  const known = pool(["work"], true);
  ok(findBinding(known, "5f2c9") !== null);
  strictEqual(findBinding(known, "2c9"), null);
});

Deno.test("explainLines() names account, decision and every reason", () => {
  const view = explainView(pool(["work", "off"], true), SESSION, []);
  const lines = explainLines(view, "UTC");
  match(lines[0] ?? "", /^Served by work since 12:00; its cache of \S+ tokens/);
  match(lines[1] ?? "", /^Its next request goes to work: /);
  ok(lines.some((line) => /^► work +may serve/.test(line)));
  ok(lines.some((line) => /^ {2}off +no: off$/.test(line)));
});

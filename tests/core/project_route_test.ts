/** Rules by project: which fits, whom it lets serve, and how it routes. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import {
  type ProjectRoute,
  routeFaults,
  routeOf,
} from "../../src/core/route/project_route.ts";
import { reduce, snapshot } from "../../src/core/pool/pool.ts";
import { explain } from "../../src/core/route/explanation.ts";
import { route } from "../../src/core/route/route.ts";
import { ANY_REQUEST } from "../../src/core/quota/capacity.ts";
import {
  account,
  accountId,
  conversationId,
  NOW,
  poolOf,
  ticketId,
} from "../fixtures/pool.ts";

function rule(project: string, parts: Partial<ProjectRoute> = {}) {
  return { project, accounts: ["work"], policy: null, ...parts };
}

Deno.test("routeOf() takes a name, a path, a folder above it, or anything", () => {
  const table: readonly (readonly [string, string | null, boolean])[] = [
    ["acme", "/home/me/acme", true],
    ["acme", "/home/me/acme-tools", false],
    ["acme", "acme", true],
    ["/home/me", "/home/me/acme", true],
    ["/home/me/acme", "/home/me/acme", true],
    ["/home/me/acme/", "/home/me/acme", true],
    ["/home/me/ac", "/home/me/acme", false],
    ["C:\\Src\\Acme", "c:/src/acme", true],
    ["acme", null, false],
    ["*", null, true],
    ["*", "/home/me/acme", true],
  ];
  for (const [wanted, project, expected] of table) {
    const found = routeOf([rule(wanted)], project) !== null;
    strictEqual(found, expected, `${wanted} for ${project}`);
  }
  strictEqual(routeOf([rule("a"), rule("*")], "/x/b")?.project, "*");
});

const POOL = reduce(
  poolOf(["home", "spare", "work"].map((name) => ({ account: account(name) }))),
  {
    kind: "routes_changed",
    routes: [rule("acme"), rule("lost", { accounts: ["gone"] })],
  },
);

Deno.test("route() sends a project to the accounts of its rule alone", () => {
  for (const name of ["home", "spare", "work"]) {
    const query = {
      ...ANY_REQUEST,
      conversation: conversationId(name),
      project: "/src/acme",
    };
    const decision = route(snapshot(POOL, NOW), query);
    strictEqual(decision.kind === "use" && decision.accountId, "work");
  }
  const free = route(snapshot(POOL, NOW), ANY_REQUEST);
  strictEqual(free.kind === "use" && free.accountId, "home");
});

Deno.test("route() leaves a pin, a wish and a warm account that the rule leaves out", () => {
  const pinned = reduce(POOL, { kind: "pinned", accountId: accountId("home") });
  const acme = { ...ANY_REQUEST, project: "acme" };
  const decision = route(snapshot(pinned, NOW), acme);
  strictEqual(decision.kind === "use" && decision.accountId, "work");
  const asked = route(snapshot(POOL, NOW), {
    ...acme,
    only: accountId("home"),
  });
  strictEqual(asked.kind, "refuse");
});

Deno.test("route() refuses a project whose accounts are all gone, and explains the rule", () => {
  const query = { ...ANY_REQUEST, project: "/src/lost" };
  const told = explain(snapshot(POOL, NOW), query);
  strictEqual(told.decision.kind, "refuse");
  strictEqual(told.rule?.project, "lost");
  deepStrictEqual(
    told.accounts.map(({ ineligible }) => ineligible),
    ["not_in_route", "not_in_route", "not_in_route"],
  );
});

Deno.test("a rule's policy routes its project and no other request", () => {
  const pool = reduce(POOL, {
    kind: "routes_changed",
    routes: [rule("acme", { accounts: null, policy: "scored" })],
  });
  const at = snapshot(pool, NOW);
  const policyOf = (parts: Partial<typeof ANY_REQUEST>) =>
    explain(at, { ...ANY_REQUEST, ...parts }).policy;
  strictEqual(policyOf({ project: "acme" }), "scored");
  strictEqual(policyOf({ project: "acme", policy: "pace" }), "pace");
  strictEqual(policyOf({}), "price");
});

Deno.test("a request of another rule does not stand before this one", () => {
  const busy = reduce(POOL, {
    kind: "waiting_changed",
    ticket: ticketId("t1"),
    query: { ...ANY_REQUEST, project: "lost" },
    only: null,
    reason: "full",
    at: NOW,
  });
  const decision = route(snapshot(busy, NOW), {
    ...ANY_REQUEST,
    project: "acme",
  });
  strictEqual(decision.kind, "use");
});

Deno.test("routeFaults() names missing accounts, the nearest name, and a dead rule", () => {
  const accounts = [account("work"), account("home")];
  deepStrictEqual(
    routeFaults(
      [rule("a"), rule("b", { accounts: ["wrok"] }), {
        ...rule("c"),
        accounts: ["home", "zzzzzz"],
      }],
      accounts,
    ),
    [{
      isDead: true,
      text:
        "routes[1] (project b) names wrok (did you mean work?): there is no such account, so its requests are refused",
    }, {
      isDead: false,
      text:
        "routes[2] (project c) names zzzzzz: there is no such account; the others serve it",
    }],
  );
});

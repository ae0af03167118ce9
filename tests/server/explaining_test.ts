/** explainFor(): which conversation is meant, and what is said of it. */

import {
  deepStrictEqual,
  doesNotMatch,
  match,
  strictEqual,
  throws,
} from "node:assert/strict";
import { explainFor, type Looked } from "../../src/server/worker/explaining.ts";
import { snapshot } from "../../src/core/pool/pool.ts";
import { explainLines } from "../../src/control/explain_text.ts";
import { TcError } from "../../src/errors.ts";
import { ended } from "../deck/scene.ts";
import {
  account,
  conversationId,
  fold,
  inHours,
  inSeconds,
  judged,
  leaseId,
  opened,
  poolOf,
  quotaWindow,
  servedOn,
} from "../fixtures/pool.ts";

const NOTHING: Looked = { open: [], ended: [], projectOf: () => null };
const AT = inSeconds(30);

const POOL = fold(
  poolOf([
    { account: account("home", { label: "home" }) },
    { account: account("spare") },
  ]),
  ...servedOn("home", "5f2c-main"),
  ...servedOn("spare", "5f2c-main/agent7", { at: inSeconds(5) }),
  ...servedOn("home", "9abc-other", { at: inSeconds(10) }),
);

function conversation(wanted: string | null, looked = NOTHING): string | null {
  return explainFor(wanted, snapshot(POOL, AT), looked).conversation;
}

Deno.test("explainFor() finds a session by its id, its start or a request", () => {
  strictEqual(conversation("5f2c-main"), "5f2c-main");
  strictEqual(conversation("9a"), "9abc-other");
  // Of one session, its main conversation.
  strictEqual(conversation("5f2c"), "5f2c-main");
  const open = [{ id: "r7", session: "5f2c-main", agent: "agent7" }];
  strictEqual(conversation("r7", { ...NOTHING, open }), "5f2c-main/agent7");
});

Deno.test("explain says how a request ended that was not served at once", () => {
  const lines = (change: Parameters<typeof ended>[1]) => {
    const view = explainFor("r5", snapshot(POOL, AT), {
      ...NOTHING,
      ended: [ended("r5", { session: "5f2c-main", ...change })],
    });
    return explainLines(view).join("\n");
  };
  const message = "All 2 accounts are closed: home: 5h used up, back 13:12.";
  const refused = lines({
    account: null,
    status: 429,
    end: "refused",
    why: message,
    triedFirst: [
      { account: "home", status: 429 },
      { account: "spare", status: null },
    ],
  });
  match(refused, /^Asked before: home \(429\), spare \(no answer\)\.$/m);
  match(
    refused,
    /^tc answered 429 by itself: All 2 accounts are closed: home/m,
  );
  const passed = lines({ account: "home", status: 404 });
  match(passed, /^home answered 404, and that was passed on\.$/m);
  doesNotMatch(lines({}), /answered|Asked before/);
});

Deno.test("explainFor() finds a session that binds no conversation by its last request", () => {
  const open = [
    { id: "r9", session: "warm1", agent: null },
    { id: "r8", session: "other", agent: null },
  ];
  const view = explainFor("warm1", snapshot(POOL, AT), { ...NOTHING, open });
  strictEqual(view.request, "r9");
  strictEqual(view.conversation, "warm1");
  strictEqual(conversation("war", { ...NOTHING, open }), "warm1");
});

Deno.test("explainFor() uses the last conversation if none is named", () => {
  strictEqual(conversation(null), "9abc-other");
  const empty = snapshot(poolOf([{ account: account("a") }]), AT);
  strictEqual(explainFor(null, empty, NOTHING).conversation, null);
});

Deno.test("explainFor() reports an unknown name", () => {
  throws(
    () => conversation("nobody"),
    (cause) => cause instanceof TcError && cause.code === "no_such_session",
  );
});

Deno.test("explainFor() names home, choice and every reason in words", () => {
  const state = fold(
    POOL,
    opened("x", "spare"),
    judged("x", {
      kind: "exhausted",
      window: "5h",
      family: null,
      until: inHours(2),
    }, AT),
  );
  const view = explainFor("9abc", snapshot(state, AT), NOTHING);
  strictEqual(view.home, "home");
  strictEqual(view.isWarm, true);
  deepStrictEqual(
    [view.decision.kind, view.decision.account, view.decision.reason],
    ["use", "home", "bound"],
  );
  deepStrictEqual(
    view.accounts.map((one) => [
      one.account,
      one.isHome,
      one.isChosen,
      one.reason,
      one.until?.ms ?? null,
    ]),
    [
      ["home", true, true, null, null],
      ["spare", false, false, "exhausted", inHours(2)],
    ],
  );
  strictEqual(JSON.stringify(view).includes("sk-"), false);
});

Deno.test("explainFor() asks which one if a start fits several, and lists the nearest if it fits none", () => {
  const pool = fold(
    POOL,
    ...servedOn("spare", "5f2d-next", { at: inSeconds(15) }),
  );
  const asked = (wanted: string): TcError => {
    try {
      explainFor(wanted, snapshot(pool, AT), NOTHING);
    } catch (cause) {
      if (cause instanceof TcError) return cause;
    }
    throw new Error(`${wanted} was explained`);
  };
  const several = asked("5f2");
  strictEqual(several.code, "ambiguous_session");
  match(several.message, /it fits 2 sessions or requests\. Which one\?/);
  match(String(several.hint), /tc explain 5f2c-main {3}used 25s ago/);
  match(String(several.hint), /tc explain 5f2d-next {3}used 15s ago/);
  const none = asked("5f2x");
  strictEqual(none.code, "no_such_session");
  match(String(none.hint), /^tc explain 5f2d-next/);
});

Deno.test("explainFor() passes no account over without a reason, and its parts add up", () => {
  const pool = poolOf([
    { account: account("a", { priority: 1 }) },
    { account: account("b") },
    { account: account("c"), windows: [quotaWindow("5h", 0.8)] },
  ]);
  const view = explainFor(null, snapshot(pool, AT), NOTHING);
  for (const one of view.accounts) {
    const isTold = one.isChosen || one.reasonText !== null ||
      one.passedOver !== null;
    strictEqual(isTold, true, one.account);
    if (one.cost === null) continue;
    const { windowPrice: _a, cachedTokens: _b, rebuildTokens: _c, ...parts } =
      one.terms;
    const sum = Object.values(parts).reduce((total, part) => total + part, 0);
    strictEqual(Math.round(sum), Math.round(one.cost), one.account);
  }
  const of = (name: string) =>
    view.accounts.find(({ account }) => account === name)?.passedOver;
  strictEqual(of("a"), "its priority is 1, that of b 0");
  strictEqual(of("c"), "it costs more");
  const text = explainLines(view).join("\n");
  match(text, /goes to b \(rule: new\)/);
  match(text, /cost: quota tokens, lower is better/);
});

Deno.test("explain weighs the room in dollars, and says what is left", () => {
  const DOLLAR = 1_000_000_000;
  const key = account("key", {
    kind: "api_key",
    costMax: { dollars: 5, per: "month" },
  });
  const ends = { day: inHours(8), week: inHours(60), month: inHours(300) };
  const told = (costNanoMax: number | null, max: number | null) => {
    const pool = fold(
      poolOf([{ account: key }]),
      {
        kind: "paid_max_changed",
        max: max === null ? null : { dollars: max, per: "month" },
      },
      opened("lease", "key", {
        conversation: conversationId("c1"),
        contextTokens: 10_000,
        costNanoMax,
      }),
      judged("lease", { kind: "served" }),
      {
        kind: "lease_closed",
        leaseId: leaseId("lease"),
        usage: null,
        paid: { nano: 3 * DOLLAR, ends },
        at: AT,
      },
    );
    return explainFor("c1", snapshot(pool, AT), NOTHING);
  };
  const fits = told(DOLLAR, null);
  strictEqual(fits.decision.kind, "use");
  match(
    explainLines(fits).join("\n"),
    /^dollars: key: \$3\.00 of \$5 this month, \$2\.00 left$/m,
  );
  match(
    explainLines(fits).join("\n"),
    /^dollars: its next request may cost \$1\.00, as its last; /m,
  );

  const large = told(2.5 * DOLLAR, null);
  strictEqual(large.decision.kind, "wait");
  match(
    explainLines(large).join("\n"),
    /no: your limit of \$5 a month: \$2\.00 left, and this request may cost \$2\.50/,
  );

  const pool = told(DOLLAR, 3.5);
  strictEqual(pool.accounts[0]?.reason, "paid_max");
  match(
    explainLines(pool).join("\n"),
    /^dollars: all paid work, paid\.max: \$3\.00 of \$3\.50 this month, \$0\.50 left$/m,
  );

  strictEqual(told(null, null).accounts[0]?.reason, "unpriced");
});

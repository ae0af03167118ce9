/** explainFor(): which conversation is meant, and what is said of it. */

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { explainFor, type Looked } from "../../src/server/worker/explaining.ts";
import { snapshot } from "../../src/core/pool/pool.ts";
import { TcError } from "../../src/errors.ts";
import {
  account,
  fold,
  inHours,
  inSeconds,
  judged,
  opened,
  poolOf,
  servedOn,
} from "../fixtures/pool.ts";

const NOTHING: Looked = { open: [], ended: [] };
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
  // Of several with that start, the one used last.
  strictEqual(conversation("5f2c"), "5f2c-main/agent7");
  const open = [{ id: "r7", session: "5f2c-main", agent: "agent7" }];
  strictEqual(conversation("r7", { open, ended: [] }), "5f2c-main/agent7");
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

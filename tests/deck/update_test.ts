import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { Key } from "../../src/deck/terminal/keys.ts";
import { type Effect, type Model, startModel } from "../../src/deck/model.ts";
import { UNICODE } from "../../src/deck/terminal/theme.ts";
import { update } from "../../src/deck/update.ts";
import { fleet, NOW, pinned, poolStatus } from "./scene.ts";

function start(change: Partial<Model> = {}): Model {
  const [known] = update(
    startModel({
      size: { columns: 120, rows: 40 },
      now: NOW,
      look: { glyphs: UNICODE, timeZone: "UTC" },
      isServer: false,
    }),
    { kind: "status", status: poolStatus() },
  );
  const [model] = update(known, { kind: "local", local: fleet() });
  return { ...model, ...change };
}

const NAMED: Readonly<Record<string, Key>> = {
  Enter: { kind: "named", name: "enter" },
  Esc: { kind: "named", name: "escape" },
  Tab: { kind: "named", name: "tab" },
  Back: { kind: "named", name: "backspace" },
  Clear: { kind: "named", name: "clear" },
  Interrupt: { kind: "named", name: "interrupt" },
  Suspend: { kind: "named", name: "suspend" },
};

/** The model and the effects after keys, written with spaces between. */
function press(
  model: Model,
  keys: string,
): { readonly model: Model; readonly effects: readonly Effect[] } {
  const effects: Effect[] = [];
  let now = model;
  for (const text of keys.split(" ")) {
    const key = NAMED[text] ?? { kind: "char", text };
    const [next, asked] = update(now, { kind: "key", key });
    now = next;
    effects.push(...asked);
  }
  return { model: now, effects };
}

/** The keys that do something, and what they ask for in the end. */
const ACTS: readonly (readonly [keys: string, effects: readonly Effect[]])[] = [
  ["s Enter y", [{ kind: "pin", account: "work" }]],
  ["s j Enter y", [{ kind: "pin", account: "home" }]],
  ["s Enter n", []],
  ["s Enter Esc", []],
  ["s Enter x", []],
  ["s Esc y", []],
  ["p j Enter y", [{ kind: "policy", policy: "pace" }]],
  ["R", [{ kind: "reload" }]],
  ["r j j Enter y", [{ kind: "remove", account: "spare" }]],
  ["r j j Enter n", []],
  ["r Enter y", []],
  ["a j j t y", [{ kind: "enable", account: "spare", isOn: false }]],
  ["a n Clear w 2 Enter", [{ kind: "rename", account: "work", label: "w2" }]],
  ["a n Enter", []],
  ["a j j d y", [{ kind: "remove", account: "spare" }]],
  ["a d y", []],
  ["a l y", [{ kind: "hand_over", args: ["login"] }]],
  ["a i y", [{ kind: "hand_over", args: ["import"] }]],
  ["a k y", [{ kind: "hand_over", args: ["login", "--api"] }]],
  ["a l n", []],
  ["j e", [{ kind: "explain", row: "agent:s-D-101" }]],
  ["e", []],
  ["q", [{ kind: "end", how: "detached" }]],
  ["Interrupt", [{ kind: "end", how: "detached" }]],
  ["Suspend", [{ kind: "suspend" }]],
  ["? q", [{ kind: "end", how: "detached" }]],
  ["/ q", []],
];

for (const [keys, effects] of ACTS) {
  Deno.test(`update() on keys ${keys}`, () => {
    deepStrictEqual(press(start(), keys).effects, effects);
  });
}

Deno.test("update() refuses to remove an account that serves requests", () => {
  const { model, effects } = press(start(), "r Enter");
  deepStrictEqual(effects, []);
  match(model.note?.text ?? "", /^work serves 2 requests/);
});

Deno.test("update() asks before q stops a server", () => {
  const asked = press(start({ isServer: true }), "q");
  deepStrictEqual(asked.effects, []);
  strictEqual(asked.model.overlay?.kind, "confirm");
  deepStrictEqual(press(asked.model, "y").effects, [
    { kind: "end", how: "quit" },
  ]);
  const idle = poolStatus({ requests: [] });
  const unused = start({ isServer: true, status: idle });
  strictEqual(press(unused, "q").model.overlay?.kind, "confirm");
  // Ctrl-C means it.
  deepStrictEqual(press(unused, "Interrupt").effects, [
    { kind: "end", how: "quit" },
  ]);
});

Deno.test("update() does not suspend what is the server itself", () => {
  deepStrictEqual(press(start({ isServer: true }), "Suspend").effects, []);
});

Deno.test("update() pins the account under the cursor, and takes it off", () => {
  const onWork = start({ pane: "accounts", selected: "account:work" });
  deepStrictEqual(press(onWork, "s y").effects, [
    { kind: "pin", account: "work" },
  ]);
  const status = poolStatus();
  const pinnedStatus = {
    ...status,
    server: { ...status.server, pin: "work" },
  };
  deepStrictEqual(press({ ...onWork, status: pinnedStatus }, "s y").effects, [
    { kind: "pin", account: null },
  ]);
});

Deno.test("update() keeps the cursor on its row while rows change places", () => {
  const { model } = press(start(), "j j");
  strictEqual(model.selected, "agent:s-D-102");
  const [fewer] = update(model, { kind: "local", local: fleet().slice(1) });
  strictEqual(fewer.selected, "agent:s-D-102");
  const { model: next } = press(fewer, "j");
  strictEqual(next.selected, "agent:s-D-104");
});

Deno.test("update() goes from list to list by Tab, and around", () => {
  const panes: string[] = [];
  let { model } = press(start(), "Tab");
  for (let step = 0; step < 6; step++) {
    panes.push(model.pane);
    ({ model } = press(model, "Tab"));
  }
  deepStrictEqual(panes, [
    "tree",
    "accounts",
    "live",
    "activity",
    "tree",
    "accounts",
  ]);
});

Deno.test("update() filters by letters, and Esc takes the filter off", () => {
  const typed = press(start(), "/ h o m e Enter").model;
  deepStrictEqual([typed.filter, typed.isFiltering], ["home", false]);
  strictEqual(press(typed, "Esc").model.filter, "");
  strictEqual(press(start(), "/ a b Back").model.filter, "a");
});

Deno.test("update() rings when a need appears, and not for the same twice", () => {
  const calm = start();
  const more = [...fleet(), pinned("D-200", null, { status: "blocked" })];
  const [rung, effects] = update(calm, { kind: "local", local: more });
  deepStrictEqual(effects, [{ kind: "bell" }]);
  deepStrictEqual(update(rung, { kind: "local", local: more })[1], []);
});

Deno.test("update() rings for two agents on one issue", () => {
  const calm = start();
  const more = [...fleet(), pinned("D-104", "D-102", { sessionId: "s-two" })];
  deepStrictEqual(update(calm, { kind: "local", local: more })[1], [
    { kind: "bell" },
  ]);
});

Deno.test("update() rings when a key begins to be paid by the token, not when it ends", () => {
  const status = poolStatus();
  const since = { iso: "2026-11-21T12:20:00.000Z", ms: NOW - 600_000 };
  const paying = {
    ...status,
    accounts: status.accounts.map((account) =>
      account.label === "key-1"
        ? {
          ...account,
          word: "paying" as const,
          paying: { since, requests: 2, cost: 0.31 },
        }
        : account
    ),
  };
  const calm = start();
  const [rung, effects] = update(calm, { kind: "status", status: paying });
  deepStrictEqual(effects, [{ kind: "bell" }]);
  deepStrictEqual(update(rung, { kind: "status", status: paying })[1], []);
  deepStrictEqual(update(rung, { kind: "status", status })[1], []);
});

Deno.test("update() is silent when the bell is off", () => {
  const { model } = press(start(), "b");
  const more = [...fleet(), pinned("D-200", null, { status: "blocked" })];
  deepStrictEqual(update(model, { kind: "local", local: more })[1], []);
});

Deno.test("update() shows a lost server, and heals", () => {
  const [lost] = update(start(), { kind: "lost", reason: "no server" });
  strictEqual(lost.link.kind, "lost");
  ok(lost.status !== null);
  const [healed] = update(lost, { kind: "status", status: poolStatus() });
  strictEqual(healed.link.kind, "live");
});

Deno.test("update() returns the very model where nothing changes", () => {
  const model = start();
  const [same] = update(model, {
    kind: "key",
    key: { kind: "char", text: "§" },
  });
  strictEqual(same, model);
});

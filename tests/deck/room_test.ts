/** The screen uses its room: whole figures, whole names, idle ones in a line. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { AccountView, MachineView } from "../../src/control/protocol.ts";
import { type Model, startModel } from "../../src/deck/model.ts";
import { fitted } from "../../src/deck/explain.ts";
import { cutInMiddle, widthOf } from "../../src/deck/terminal/grapheme.ts";
import { inLanes, lanesFor } from "../../src/deck/terminal/lanes.ts";
import { lineText, span } from "../../src/deck/terminal/line.ts";
import { UNICODE } from "../../src/deck/terminal/theme.ts";
import { update } from "../../src/deck/update.ts";
import { view } from "../../src/deck/view.ts";
import { frameText } from "../fixtures/frame_text.ts";
import {
  account,
  ended,
  fleet,
  NOW,
  poolCurves,
  poolStatus,
  request,
  time,
  window,
} from "./scene.ts";

function drawn(
  columns: number,
  rows: number,
  status = poolStatus(),
  change: Partial<Model> = {},
): string {
  const look = { glyphs: UNICODE, timeZone: "UTC" };
  const size = { columns, rows };
  let model = startModel({ size, now: NOW, look, isServer: false });
  [model] = update(model, { kind: "status", status });
  [model] = update(model, { kind: "local", local: fleet() });
  return frameText(view({ ...model, ...change }));
}

function sixty(): readonly AccountView[] {
  return Array.from(
    { length: 60 },
    (_, index) =>
      account(`acct-${String(index + 1).padStart(2, "0")}`, {
        state: index % 10 === 9 ? "spent" : "ready",
        word: index % 10 === 9 ? "closed" : "ready",
        windows: [window("5h", index % 10 === 9 ? 1 : 0.2, 900_000)],
        inFlight: index < 3 ? 1 : 0,
      }),
  );
}

Deno.test("view() puts the idle ones of sixty accounts at 80x24 in one line", () => {
  const status = poolStatus({ accounts: sixty(), sessions: [], requests: [] });
  const text = drawn(80, 24, status);
  for (const name of ["acct-01", "acct-02", "acct-03"]) {
    match(text, new RegExp(`● ${name} `), text);
  }
  match(text, /○ 57 idle: 51 ready · 6 used up {2}acct-04 .* \d+ more$/m);
  strictEqual(text.split("\n").filter((line) => /acct-/.test(line)).length, 4);
});

Deno.test("lanesFor() leaves out the least important lane, and puts back what fits", () => {
  const lanes = [
    { key: "name", width: 10, worth: Infinity },
    { key: "wide", width: 20, worth: 2 },
    { key: "small", width: 4, worth: 1 },
    { key: "best", width: 8, worth: 3 },
  ];
  const at = (width: number) => lanesFor(lanes, width).map(({ key }) => key);
  deepStrictEqual(at(48), ["name", "wide", "small", "best"]);
  deepStrictEqual(at(47), ["name", "wide", "best"]);
  deepStrictEqual(at(41), ["name", "small", "best"]);
  deepStrictEqual(at(19), ["name", "small"]);
});

Deno.test("inLanes() leaves out a figure that is wider than its lane", () => {
  const lanes = lanesFor([
    { key: "name", width: 4, worth: Infinity },
    { key: "count", width: 3, worth: 1, isRight: true },
  ], 20);
  const row = (count: string) =>
    lineText(inLanes({ name: [span("work")], count: [span(count)] }, lanes));
  strictEqual(row("12"), "work   12");
  strictEqual(row("12345"), "work     ");
});

Deno.test("view() cuts no figure and no reason at any width", () => {
  for (let columns = 40; columns <= 220; columns++) {
    const text = drawn(columns, 40, poolStatus(), { local: [] });
    for (const line of text.split("\n").slice(0, -1)) {
      ok(!/\d…|[$%↑↓⟲✎]…/.test(line), `${columns}: ${line}`);
      ok(
        !/(used up|left|back|held|waiting)…/.test(line),
        `${columns}: ${line}`,
      );
    }
    match(text, /5h used up/, `the reason of the move at ${columns}`);
    ok(/work\s+(Max 20x\s+)?5h/.test(text), `the account at ${columns}`);
  }
});

Deno.test("view() shows a name whole where it fits, and marks a cut in its middle", () => {
  const label = "carol.of.the.long.name@company.example";
  const accounts = [account(label, { windows: [window("5h", 0.2, 900_000)] })];
  const status = poolStatus({ accounts, requests: [], activity: [] });
  ok(drawn(120, 40, status).includes(` ${label} `));
  const narrow = drawn(60, 24, status);
  match(narrow, /carol\.of\.t…y\.example /);
  strictEqual(cutInMiddle("abcdefghij", 5), "ab…ij");
});

Deno.test("view() draws longer bars on a wider screen", () => {
  const bar = (columns: number) =>
    /work\s+(?:Max 20x\s+)?5h (▕[^▏]*)/.exec(drawn(columns, 40))?.[1]?.length ??
      0;
  const lengths = [60, 80, 100, 120, 150].map(bar);
  ok(lengths.every((length) => length > 0), String(lengths));
  ok((lengths[2] ?? 0) > (lengths[0] ?? 0), String(lengths));
  ok((lengths[4] ?? 0) > (lengths[3] ?? 0), String(lengths));
});

Deno.test("view() draws curves from 160 columns on, with each window's pace", () => {
  const curves = { curves: poolCurves() };
  const wide = drawn(160, 60, poolStatus(), curves);
  for (const title of ["tokens a minute", "cache hits", "work 5h", "home 7d"]) {
    ok(wide.includes(` ${title} `), title);
  }
  match(wide, /▂▃▄|▁▂▃/);
  match(wide, /╌╌╌/);
  ok(!drawn(159, 60, poolStatus(), curves).includes("tokens a minute"));
});

Deno.test("view() says what the limit on paid work is and what counts against it", () => {
  const limit = { max: 20, per: "day", paid: 12.1, reserved: 0, endsAt: null };
  const status = poolStatus({ paidLimit: { ...limit, per: "day" } });
  for (const columns of [80, 120]) {
    match(drawn(columns, 40, status), /paid \$12\.10 of \$20 today/);
  }
});

Deno.test("view() shows the ids of requests where there is room", () => {
  const status = poolStatus({
    requests: [request("req-live-1", { session: "s-D-104" })],
    activity: [ended("req-done-1")],
  });
  const text = drawn(180, 40, status);
  ok(text.includes("req-live-1"));
  ok(text.includes("req-done-1"));
});

Deno.test("a wide screen has the repository of each live request, and a narrow one the rest", () => {
  const base = poolStatus();
  const project = "/src/long-repository-name";
  const status = poolStatus({
    sessions: base.sessions.map((one) => ({ ...one, project })),
    requests: [
      request("req_aaaaaaaaaaaa", { project }),
      request("req_bbbbbbbbbbbb", { project: null }),
    ],
  });
  const wide = drawn(200, 60, status);
  match(wide, /long-\S*-name/, wide);
  ok(!/long-re/.test(drawn(80, 40, status)), "80 columns have other figures");
  ok(!/long-re/.test(drawn(200, 60, base)), "no lane where nothing is known");
});

Deno.test("a window that has just begun has a pace only where a lot of it is used", () => {
  const week = 7 * 86_400_000;
  const row = (used: number) =>
    drawn(
      120,
      40,
      poolStatus({
        accounts: [account("fresh", { windows: [window("7d", used, week)] })],
      }),
    ).split("\n").find((line) => line.includes("fresh")) ?? "";
  match(row(0.01), /1% · 7d/);
  match(row(0.58), /58% ▸ 7d/);
});

Deno.test("the table of an explanation fits its panel: parts of a cost go, then a reason is cut", () => {
  const rows = [
    ["account", "may serve", "in cache", "to write", "+ quota", "= cost"],
    ["work", "yes, but its prompt cache is on home", "-", "38", "190k", "96k"],
    ["home", "yes", "38", "0", "170k", "76k x"],
  ];
  for (const width of [100, 70, 50, 34]) {
    const lines = fitted(rows, width);
    strictEqual(lines.length, rows.length);
    ok(lines.every((line) => widthOf(line) <= width), lines.join("\n"));
    match(lines[2] ?? "", /^home +yes.*76k x$/);
  }
  match(fitted(rows, 100)[0] ?? "", /quota/);
  ok(!/quota/.test(fitted(rows, 70)[0] ?? ""));
  match(fitted(rows, 34)[1] ?? "", /…/);
});

Deno.test("the head says how many machines of a shared pool are there", () => {
  const machine = (name: string, change: Partial<MachineView> = {}) => ({
    ...{ id: name, name, version: "1", isThis: false, isThere: true },
    ...{ lastSeenAt: null, requests: 0, ...change },
  });
  const all = [machine("desk"), machine("laptop", { isThis: true })];
  const gone = machine("box", { isThere: false, lastSeenAt: time(NOW) });
  const head = (columns: number, machines: readonly MachineView[]) =>
    drawn(columns, 30, poolStatus({ machines })).split("\n")[1] ?? "";
  match(head(200, all), /2 machines: desk, laptop/);
  match(head(200, [...all, gone]), /2 of 3 machines/);
  ok(!head(200, []).includes("machine"));
  // Where the width does not allow it, more important figures stay.
  ok(!head(60, all).includes("machine"));
});

/** The screen stands still: boxes by size alone, rows in their places. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { layoutOf } from "../../src/deck/layout.ts";
import { type Model, startModel } from "../../src/deck/model.ts";
import { settled, SORT_MS } from "../../src/deck/places.ts";
import { UNICODE } from "../../src/deck/terminal/theme.ts";
import type { Size } from "../../src/deck/terminal/frame.ts";
import { update } from "../../src/deck/update.ts";
import { spotAt, view } from "../../src/deck/view.ts";
import { frameText } from "../fixtures/frame_text.ts";
import { trials } from "../fixtures/trials.ts";
import { Draw, randomLocal, randomStatus } from "./random_scene.ts";
import {
  account,
  ended,
  NOW,
  pinned,
  poolStatus,
  request,
  session,
  time,
  usage,
  window,
} from "./scene.ts";

const SIZES: readonly Size[] = [
  { columns: 40, rows: 12 },
  { columns: 60, rows: 20 },
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
  { columns: 220, rows: 60 },
];

function started(size: Size): Model {
  const look = { glyphs: UNICODE, timeZone: "UTC" };
  return startModel({ size, now: NOW, look, isServer: false });
}

/** Rows of the screen on which a title line begins. */
function titleRows(model: Model): readonly number[] {
  return frameText(view(model)).split("\n")
    .flatMap((line, row) => line.startsWith("── ") ? [row] : []);
}

for (const size of SIZES) {
  const name = `${size.columns}x${size.rows}`;

  Deno.test(`view() draws the boxes of ${name} in the same places, whatever the pool`, () => {
    const boxes = [...layoutOf(size).boxes.values()];
    const tops = boxes.filter(({ left }) => left === 0).map(({ top }) => top);
    ok(tops.length >= 2, name);
    const last = Math.max(...boxes.map(({ top, height }) => top + height));
    strictEqual(last, size.rows - 1, "the boxes fill the screen");
    const draw = new Draw(7);
    let model = started(size);
    for (let step = 0; step < trials(30, 1_000); step++) {
      [model] = update(model, { kind: "status", status: randomStatus(draw) });
      [model] = update(model, { kind: "local", local: randomLocal(draw) });
      [model] = update(model, { kind: "ticked", now: NOW + step * 700 });
      deepStrictEqual(titleRows(model), tops, `${name}, step ${step}`);
    }
  });

  Deno.test(`update() keeps every row of ${name} in its place for ten seconds`, () => {
    for (let seed = 1; seed <= trials(2, 200); seed++) {
      watchRows(size, new Draw(seed), `${name}, seed ${seed}`);
    }
  });
}

/** A pool in which everything grows, comes and goes. */
class BusyPool {
  readonly #draw: Draw;
  readonly #requests = new Map<string, number>();
  readonly #tokens = new Map<string, number>();
  readonly #accounts: number;
  #next = 0;

  constructor(draw: Draw) {
    this.#draw = draw;
    this.#accounts = draw.from([2, 3, 8, 60]);
  }

  status(now: number) {
    const draw = this.#draw;
    for (const id of [...this.#requests.keys()]) {
      if (draw.below(3) === 0) this.#requests.delete(id);
    }
    while (draw.below(3) > 0 && this.#requests.size < 30) {
      this.#requests.set(`r-${this.#next++}`, now);
    }
    for (let count = draw.below(4); count > 0; count--) {
      const id = `s-${draw.below(40)}`;
      const before = this.#tokens.get(id) ?? 0;
      this.#tokens.set(id, before + draw.below(90_000));
    }
    if (draw.below(5) === 0) {
      const [first] = this.#tokens.keys();
      if (first !== undefined) this.#tokens.delete(first);
    }
    return poolStatus({
      accounts: Array.from(
        { length: this.#accounts },
        (_, index) =>
          account(`a-${index}`, {
            windows: [window("5h", draw.unit(), 900_000)],
            inFlight: draw.below(8) === 0 ? 1 : 0,
          }),
      ),
      sessions: [...this.#tokens].map(([id, tokens]) =>
        session(id, {
          account: `a-${draw.below(3)}`,
          usage: usage({ output: tokens }),
          lastUsedAt: time(now - draw.below(400_000)),
        })
      ),
      requests: [...this.#requests].map(([id, since]) =>
        request(id, { session: `s-${draw.below(40)}`, since: time(since) })
      ),
      activity: [ended(`e-${this.#next}`)],
    });
  }
}

/** Fails if a row moves within ten seconds of a sort, or under the cursor. */
function watchRows(size: Size, draw: Draw, name: string): void {
  const pool = new BusyPool(draw);
  let now = NOW;
  let model = started(size);
  [model] = update(model, { kind: "status", status: pool.status(now) });
  let held: string | null = null;
  if (draw.below(2) === 0) {
    for (let downs = draw.below(6); downs >= 0; downs--) {
      [model] = update(model, {
        kind: "key",
        key: { kind: "char", text: "j" },
      });
    }
    held = model.selected === null ? null : model.pane;
  }
  const sortedAt = new Map<string, number>();
  let before = rowsOf(model);
  for (let step = 0; step < 40; step++) {
    now += 200 + draw.below(1_500);
    [model] = update(model, { kind: "ticked", now });
    [model] = update(model, { kind: "status", status: pool.status(now) });
    const after = rowsOf(model);
    const moved = new Set(
      [...after].filter(([key, { row }]) =>
        before.has(key) && before.get(key)?.row !== row
      ).map(([, { pane }]) => pane),
    );
    for (const pane of moved) {
      if (pane === "activity" && held !== "activity") continue;
      ok(
        pane !== held,
        `${name}, step ${step}: ${pane} moved under the cursor`,
      );
      const since = now - (sortedAt.get(pane) ?? NOW);
      ok(since >= SORT_MS, `${name}, step ${step}: ${pane} after ${since} ms`);
      sortedAt.set(pane, now);
    }
    before = after;
  }
}

function rowsOf(model: Model) {
  const rows = new Map<
    string,
    { readonly row: number; readonly pane: string }
  >();
  for (let row = 0; row < model.size.rows; row++) {
    const spot = spotAt(model, { row, column: 2 });
    if (spot === null || spot.key === null) continue;
    const key = `${spot.pane} ${spot.key}`;
    if (!rows.has(key)) rows.set(key, { row, pane: spot.pane });
  }
  return rows;
}

Deno.test("settled() gives a free place to the next row, and sorts after ten seconds", () => {
  const at = (now: number) => ({ now, isHeld: false, selected: null });
  const first = settled(
    { keys: [], sortedAt: -Infinity },
    ["a", "b", "c"],
    at(0),
  );
  deepStrictEqual(first.keys, ["a", "b", "c"]);
  const ended = settled(first, ["c", "a"], at(1_000));
  deepStrictEqual(ended.keys, ["a", "b", "c"]);
  const next = settled(ended, ["d", "c", "a", "e"], at(2_000));
  deepStrictEqual(next.keys, ["a", "d", "c", "e"]);
  const sorted = settled(next, ["d", "c", "a", "e"], at(10_000));
  deepStrictEqual(sorted.keys, ["d", "c", "a", "e"]);
  const held = settled(sorted, ["a", "c"], {
    now: 90_000,
    isHeld: true,
    selected: "d",
  });
  deepStrictEqual(held.keys, ["d", "c", "a", "e"]);
});

Deno.test("the lines of a tree lead to where its rows stand, also between two sorts", () => {
  const local = [pinned("A", null), pinned("B", "A"), pinned("C", "A")];
  const status = (tokens: Readonly<Record<string, number>>) =>
    poolStatus({
      sessions: local.map(({ sessionId }) =>
        session(sessionId, {
          usage: usage({ output: tokens[sessionId.replace("s-", "")] ?? 1 }),
        })
      ),
      requests: [],
      activity: [],
    });
  const lines = (model: Model) =>
    frameText(view(model)).split("\n")
      .filter((line) => /[├└]─ /.test(line))
      .map((line) => /([├└]─).*? ([BC])\b/.exec(line)?.slice(1).join(" "));
  let model = started({ columns: 120, rows: 40 });
  [model] = update(model, { kind: "local", local });
  [model] = update(model, { kind: "status", status: status({ B: 50, C: 10 }) });
  deepStrictEqual(lines(model), ["├─ B", "└─ C"]);
  [model] = update(model, { kind: "status", status: status({ B: 50, C: 90 }) });
  deepStrictEqual(lines(model), ["├─ B", "└─ C"]);
  [model] = update(model, { kind: "ticked", now: NOW + SORT_MS });
  deepStrictEqual(lines(model), ["├─ C", "└─ B"]);
});

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { Table } from "../../src/core/pool/table.ts";
import { trials } from "../fixtures/trials.ts";

const KEYS = 600;

const STEP = fc.record({
  key: fc.integer({ min: 0, max: KEYS }).map((n) => `session-${n}`),
  value: fc.integer(),
  isRemoved: fc.boolean(),
});

Deno.test("a Table holds what a Map holds, and no change touches an older table", () => {
  fc.assert(
    fc.property(
      fc.array(STEP, { maxLength: 900, size: "max" }),
      fc.integer({ min: 2, max: 9 }),
      (steps, modulus) => {
        const model = new Map<string, number>();
        let table = Table.of<string, number>();
        const half = Math.floor(steps.length / 2);
        let kept: { table: Table<string, number>; model: typeof model } | null =
          null;
        for (const [index, { key, value, isRemoved }] of steps.entries()) {
          if (isRemoved && index % 3 === 0) {
            model.delete(key);
            table = table.without(key);
          } else {
            model.set(key, value);
            table = table.with(key, value);
          }
          strictEqual(table.size, model.size);
          if (index === half) kept = { table, model: new Map(model) };
        }
        deepStrictEqual(sorted(table), sorted(model));
        for (let n = 0; n <= KEYS; n += 7) {
          const key = `session-${n}`;
          strictEqual(table.get(key), model.get(key));
          strictEqual(table.has(key), model.has(key));
        }
        const few = table.filter((value) => value % modulus === 0);
        deepStrictEqual(
          sorted(few),
          sorted(model).filter(([, value]) => value % modulus === 0),
        );
        strictEqual(few.size, [...few].length);
        if (kept !== null) {
          deepStrictEqual(sorted(kept.table), sorted(kept.model));
        }
      },
    ),
    { numRuns: trials(200, 2_000) },
  );
});

Deno.test("Table.compare() visits what differs, and little besides", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 5_000 }), { maxLength: 2_000 }),
      fc.integer({ min: 0, max: 5_000 }),
      (numbers, changed) => {
        const before = Table.of(
          numbers.map((n) => [`session-${n}`, n] as const),
        );
        const now = before.with(`session-${changed}`, -1);
        let sum = 0;
        let visits = 0;
        now.compare(before, (value, sign) => {
          sum += sign * value;
          visits++;
        });
        const total = (table: typeof before): number =>
          [...table.values()].reduce((all, value) => all + value, 0);
        strictEqual(sum, total(now) - total(before));
        // One leaf of the old table and what became of it.
        ok(visits <= 20, `${visits} visits`);
      },
    ),
    { numRuns: trials(100, 1_000) },
  );
});

Deno.test("a Table of ten thousand keys stays a tree of short arrays", () => {
  const table = Table.of(
    Array.from({ length: 10_000 }, (_, n) => [`conversation-${n}`, n] as const),
  );
  let longest = 0;
  const walk = (node: typeof table.root): void => {
    if ("nodes" in node) node.nodes.forEach(walk);
    else longest = Math.max(longest, node.length);
  };
  walk(table.root);
  ok(longest <= 8, `${longest} entries in one leaf`);
});

function sorted(
  map: ReadonlyMap<string, number>,
): readonly (readonly [string, number])[] {
  return [...map].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
}

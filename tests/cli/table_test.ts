/** tableLines(): as wide as the terminal, and nothing is cut without a mark. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { type Column, tableLines } from "../../src/cli/table.ts";
import { cutInMiddle } from "../../src/deck/terminal/grapheme.ts";
import { widthOf } from "../../src/deck/terminal/grapheme.ts";

interface Row {
  readonly name: string;
  readonly count: number;
  readonly note: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: "name", of: ({ name }) => name, cutTo: 6 },
  { title: "count", of: ({ count }) => String(count), isNumber: true, drop: 1 },
  { title: "note", of: ({ note }) => note, drop: 2 },
];

const ROWS: readonly Row[] = [
  { name: "carol.smith@gmail.example", count: 7, note: "one" },
  { name: "work", count: 1_200, note: "two" },
];

Deno.test("a table that fits is whole, with its headings", () => {
  deepStrictEqual(tableLines(ROWS, COLUMNS, 80), {
    head: "name                       count  note",
    rows: [
      "carol.smith@gmail.example      7  one",
      "work                        1200  two",
    ],
    dropped: [],
  });
});

Deno.test("the least important columns go first, then names are cut in the middle", () => {
  const narrow = tableLines(ROWS, COLUMNS, 34);
  deepStrictEqual(narrow.dropped, ["note"]);
  strictEqual(narrow.rows[0], "carol.smith@gmail.example      7");
  const tiny = tableLines(ROWS, COLUMNS, 12);
  deepStrictEqual(tiny.dropped, ["note", "count"]);
  strictEqual(tiny.rows[0], "carol.…ample");
});

Deno.test("a column that may go is not shown while it is empty in each row", () => {
  const rows = ROWS.map((row) => ({ ...row, note: "" }));
  strictEqual(
    tableLines(rows, COLUMNS, 80).head,
    "name                       count",
  );
  const [first, ...others] = ROWS;
  ok(first);
  const some = [first, ...others.map((row) => ({ ...row, note: "" }))];
  match(tableLines(some, COLUMNS, 80).head, /note$/);
});

Deno.test("no line is wider than the terminal, whatever the texts are", () => {
  const row = fc.record({
    name: fc.string({ unit: "grapheme", maxLength: 60 }),
    count: fc.nat(),
    note: fc.string({ maxLength: 60 }),
  });
  fc.assert(fc.property(
    fc.array(row, { maxLength: 4 }),
    fc.integer({ min: 1, max: 200 }),
    (rows, width) => {
      const { head, rows: lines } = tableLines(rows, COLUMNS, width);
      for (const line of [head, ...lines]) ok(widthOf(line) <= width, line);
      strictEqual(lines.length, rows.length);
    },
  ));
});

Deno.test("colour is put on after the cutting, and a cut is always marked", () => {
  const columns: readonly Column<Row>[] = [
    { title: "name", of: ({ name }) => name },
    {
      title: "note",
      of: ({ note }) => note,
      paint: (_row, text) => `<${text}>`,
    },
  ];
  const [line] = tableLines(
    [{ name: "a", count: 0, note: "a long note that has no room" }],
    columns,
    14,
  ).rows;
  strictEqual(line, "a     <a long …>");
  strictEqual(cutInMiddle("abcdefghij", 5), "ab…ij");
  strictEqual(cutInMiddle("abc", 5), "abc");
});

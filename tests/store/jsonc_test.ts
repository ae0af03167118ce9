import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { parseJsonc, toValue } from "../../src/store/files/jsonc.ts";
import { changeJsonc } from "../../src/store/files/jsonc_edit.ts";
import { trials } from "../fixtures/trials.ts";

const COMMENTED = `// my pool
{
  "proxy": { "port": 3456 }, /* the usual */
  // both are mine
  "accounts": [
    { "name": "work", "priority": 1.0 }, // paid by work
    { "name": "home" } // my own
  ],
  "x-extra": [1,2,   3], // kept as it is
}
`;

Deno.test("parseJsonc() reads comments, trailing commas and a byte order mark", () => {
  deepStrictEqual(toValue(parseJsonc("\uFEFF" + COMMENTED)), {
    proxy: { port: 3456 },
    accounts: [{ name: "work", priority: 1 }, { name: "home" }],
    "x-extra": [1, 2, 3],
  });
});

Deno.test("parseJsonc() reads all JSON as JSON.parse does", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      deepStrictEqual(toValue(parseJsonc(text)), JSON.parse(text));
    }),
    { numRuns: trials(300, 20_000) },
  );
});

Deno.test("parseJsonc() tells line and column of what is wrong", () => {
  const table: readonly (readonly [string, string])[] = [
    ["", "The text ends at line 1, column 1"],
    ["{\n  a: 1\n}", 'Unexpected "a" at line 2, column 3'],
    ['{"a": 1, "a": 2}', 'Duplicate key "a" at line 1, column 10'],
    ['{"a": 1} x', 'Unexpected "x" at line 1, column 10'],
    ["{\n  1: 2}", "Unquoted key at line 2, column 3"],
    ["[1 2]", 'Unexpected "2" at line 1, column 4'],
    ["[1, /* no end", "Unterminated comment at line 1, column 5"],
    ['["\\x"]', "Invalid character or escape in string at line 1, column 2"],
    ['["a\tb"]', "Invalid character or escape in string at line 1, column 2"],
    ["[01]", 'Unexpected "1" at line 1, column 3'],
    ["[".repeat(100), "Nested too deep at line 1, column 66"],
  ];
  for (const [text, message] of table) {
    throws(() => parseJsonc(text), { name: "JsoncError", message }, text);
  }
});

Deno.test("parseJsonc() makes `__proto__` a key like any other", () => {
  const value = toValue(parseJsonc('{"__proto__": {"polluted": true}}'));
  strictEqual(Reflect.get(Object.prototype, "polluted"), undefined);
  deepStrictEqual(Object.keys(value as object), ["__proto__"]);
});

Deno.test("changeJsonc() without a change gives the same text", () => {
  strictEqual(
    changeJsonc(COMMENTED, toValue(parseJsonc(COMMENTED))),
    COMMENTED,
  );
});

Deno.test("changeJsonc() changes what is asked and keeps comments and spelling", () => {
  const after = {
    proxy: { port: 3457 },
    accounts: [
      { name: "work", priority: 1, enabled: false },
      { name: "home" },
      { id: "a1", name: "new" },
    ],
    "x-extra": [1, 2, 3],
    key: "value",
  };
  strictEqual(
    changeJsonc(COMMENTED, after),
    `// my pool
{
  "proxy": { "port": 3457 }, /* the usual */
  // both are mine
  "accounts": [
    { "name": "work", "priority": 1.0, "enabled": false }, // paid by work
    { "name": "home" }, // my own
    {
      "id": "a1",
      "name": "new"
    }
  ],
  "x-extra": [1,2,   3], // kept as it is
  "key": "value",
}
`,
  );
});

Deno.test("changeJsonc() takes the first, a middle and the last item out", () => {
  const text = `{
  "accounts": [
    { "name": "a" }, // first
    {
      "name": "b"
    },
    { "name": "c" }
  ]
}`;
  const names = (text: string) =>
    (toValue(parseJsonc(text)) as { accounts: { name: string }[] }).accounts
      .map(({ name }) => name);
  for (const gone of ["a", "b", "c"]) {
    const left = ["a", "b", "c"].filter((name) => name !== gone);
    const accounts = left.map((name) => ({ name }));
    const changed = changeJsonc(text, { accounts });
    deepStrictEqual(names(changed), left);
    strictEqual(changed.includes("// first"), true);
  }
  strictEqual(
    changeJsonc(text, { accounts: [{ name: "a" }, { name: "c" }] }),
    `{
  "accounts": [
    { "name": "a" }, // first
    { "name": "c" }
  ]
}`,
  );
});

Deno.test("changeJsonc() keeps the comments of a section that goes", () => {
  strictEqual(
    changeJsonc(
      `{
  // Money.
  "paid": {
    // No more than this: "max" is a text.
    "max": "5/day // no comment" /* for now */
  }, // end
  "usage": { "poll": false } // the last
}
`,
      { usage: { poll: false } },
    ),
    `{
  // Money.
  // No more than this: "max" is a text.
  /* for now */ // end
  "usage": { "poll": false } // the last
}
`,
  );
  strictEqual(
    changeJsonc('{\n  "a": 1,\n  "paid": {\n    "max": 5 // x\n  }\n}', {
      a: 1,
    }),
    '{\n  "a": 1\n  // x\n}',
  );
});

Deno.test("changeJsonc() keeps Windows line ends and tabs", () => {
  strictEqual(
    changeJsonc('{\r\n\t"a": 1\r\n}\r\n', { a: 1, b: [2] }),
    '{\r\n\t"a": 1,\r\n\t"b": [\r\n\t\t2\r\n\t]\r\n}\r\n',
  );
});

Deno.test("changeJsonc() fills what is empty and what holds a comment alone", () => {
  strictEqual(changeJsonc("{}", { a: 1 }), '{\n  "a": 1\n}');
  strictEqual(
    changeJsonc('{\n  // none yet\n  "b": [ /* none */ ]\n}', { b: [1] }),
    '{\n  // none yet\n  "b": [ /* none */\n    1\n  ]\n}',
  );
  strictEqual(
    changeJsonc('{ "a": 1 }', { a: 1, b: 2 }),
    '{ "a": 1, "b": 2 }',
  );
});

/** JSON text with comments and odd spacing in every gap. */
function decorated(value: unknown, gaps: readonly string[]): string {
  let next = 0;
  const gap = () => gaps[next++ % gaps.length] ?? "";
  function write(part: unknown): string {
    if (Array.isArray(part)) {
      const items = part.map((item) => gap() + write(item) + gap());
      return `[${items.join(",")}${gap()}]`;
    }
    if (typeof part === "object" && part !== null) {
      const members = Object.entries(part).map(([key, item]) =>
        `${gap()}${JSON.stringify(key)}${gap()}:${gap()}${write(item)}${gap()}`
      );
      return `{${members.join(",")}${gap()}}`;
    }
    return JSON.stringify(part);
  }
  return gap() + write(value) + gap();
}

/** The comments in `text`, by the marks put into them. */
function marks(text: string): string[] {
  return text.match(/mark\d+/g)?.sort() ?? [];
}

Deno.test("changeJsonc() reaches any value from any text and keeps comments between items", () => {
  const gapArbitrary = fc.constantFrom(
    "",
    " ",
    "\n",
    "\n    ",
    "/* mark1 */",
    " // mark2\n",
    "\r\n\t",
  );
  fc.assert(
    fc.property(
      fc.jsonValue({ maxDepth: 3 }).map((v) => JSON.parse(JSON.stringify(v))),
      fc.jsonValue({ maxDepth: 3 }).map((v) => JSON.parse(JSON.stringify(v))),
      fc.array(gapArbitrary, { minLength: 1, maxLength: 9 }),
      (before, after, gaps) => {
        const text = decorated(before, gaps);
        deepStrictEqual(toValue(parseJsonc(changeJsonc(text, after))), after);
      },
    ),
    { numRuns: trials(500, 50_000) },
  );
});

Deno.test("changeJsonc() loses no comment when one account or the whole list is changed or removed", () => {
  const gapArbitrary = fc.constantFrom(
    "",
    " ",
    "\n  ",
    "/* mark1 */",
    " // mark2\n",
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.stringMatching(/^[a-z]{1,4}$/), {
        minLength: 1,
        maxLength: 5,
      }),
      fc.array(gapArbitrary, { minLength: 1, maxLength: 9 }),
      fc.nat(),
      (names, gaps, pick) => {
        const accounts = names.map((name) => ({ name, priority: 1 }));
        const text = decorated({ accounts, rest: [1] }, gaps);
        const index = pick % names.length;
        const changed = accounts.map((account, at) =>
          at === index ? { ...account, enabled: false, priority: 2 } : account
        );
        const added = [...accounts, { name: "new", priority: 0 }];
        const removed = accounts.filter((_, at) => at !== index);
        const lists = [changed, added, removed]
          .map((after) => ({ accounts: after, rest: [1] }));
        for (const after of [...lists, { rest: [1] }, { accounts }, {}]) {
          const result = changeJsonc(text, after);
          deepStrictEqual(marks(result), marks(text));
        }
      },
    ),
    { numRuns: trials(300, 20_000) },
  );
});

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import {
  ACCOUNT_NAME_MAX,
  accountName,
  inert,
  inertJson,
  inertLines,
  isAccountName,
} from "../../src/core/plain_text.ts";
import { freeName } from "../../src/auth/sign_in/account_id.ts";
import { journaldLine, logLine } from "../../src/records/log/journal.ts";
import { ROOT } from "../fixtures/paths.ts";
import { instantFromMs } from "../../src/core/time.ts";

/** Text with a good part of what terminals obey in it. */
const OUTSIDE = fc.array(fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "\u001b]0;owned\u0007",
    "\u001b[2J",
    "\u009b31m",
    "\u202e",
    "\u2066",
    "\u061c",
    "\ufeff",
    "\u2028",
    "\ud800",
    "👩‍💻",
    "é",
    "a".repeat(60),
    " ",
    "\r\n",
  ),
)).map((parts) => parts.join(""));

const OBEYED =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

Deno.test("text from outside holds nothing that a terminal obeys", () => {
  fc.assert(fc.property(OUTSIDE, (text) => {
    ok(!OBEYED.test(inert(text)));
    ok(!OBEYED.test(inertLines(text).replace(/[\n\t]/g, "")));
    strictEqual(JSON.parse(inertJson(JSON.stringify({ text }))).text, text);
    ok(!OBEYED.test(inertJson(JSON.stringify({ text }))));
    const record = {
      at: instantFromMs(0),
      level: "info",
      event: "x",
      fields: { text },
    } as const;
    ok(!OBEYED.test(logLine(record)));
    ok(!OBEYED.test(journaldLine(record)));
  }));
});

Deno.test("inert() keeps joined emoji and every script", () => {
  for (const text of ["👩‍💻 büro", "שלום", "مرحبا", "日本"]) {
    strictEqual(inert(text), text);
  }
});

Deno.test("any text becomes a valid account name, and a valid one stays", () => {
  fc.assert(fc.property(OUTSIDE, fc.array(OUTSIDE), (text, others) => {
    const name = accountName(text, "account");
    ok(isAccountName(name), JSON.stringify(name));
    strictEqual(accountName(name, "x"), name);
    const taken = new Set([
      ...others.map((one) => accountName(one, "x")),
      name,
    ]);
    const free = freeName(text, taken);
    ok(isAccountName(free), JSON.stringify(free));
    ok(!taken.has(free));
  }));
  strictEqual(accountName("a".repeat(101), "x").length, ACCOUNT_NAME_MAX);
  strictEqual(accountName(`${"a".repeat(99)}😀`, "x"), "a".repeat(99));
  strictEqual(accountName(" \u0007\u202e ", "account"), "account");
  strictEqual(accountName("a\tb\nc", "x"), "a b c");
  for (const bad of ["", " a", "a".repeat(101), "a\u0000", "\u202ea"]) {
    strictEqual(isAccountName(bad), false, JSON.stringify(bad));
  }
});

Deno.test("no other file has an idea of its own of what a terminal obeys", () => {
  const found: string[] = [];
  function look(folder: string): void {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) look(path);
      else if (/\[[^\]\n]*\\u001f/.test(Deno.readTextFileSync(path))) {
        found.push(path.slice(`${ROOT}src/`.length));
      }
    }
  }
  look(`${ROOT}src`);
  deepStrictEqual(found.filter((path) => !path.startsWith("demo/")), []);
});

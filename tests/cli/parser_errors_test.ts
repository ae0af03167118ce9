/** What the parser refuses is told in tc's own sentences, with what to type. */

import "../fixtures/clean_environment.ts";
import { ok, strictEqual } from "node:assert/strict";
import { parserError } from "../../src/cli/parser_errors.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const REFUSALS: readonly (readonly [
  args: string,
  message: string,
  hint: string,
])[] = [
  [
    "priority",
    "Cannot run tc priority: it needs <account>",
    "tc priority <account> <number>",
  ],
  [
    "config set a",
    "Cannot run tc config set: it needs <value>",
    "tc config set <key> <value>",
  ],
  [
    "report --last",
    "Cannot run tc report: --last <count> needs a value",
    "tc report --help   shows what it takes",
  ],
  [
    "explain one two",
    "Cannot run tc explain: it takes 1 argument; you gave 2",
    "tc explain --help   shows what it takes",
  ],
  [
    "status --jsn",
    "Cannot use --jsn: tc status has no such option",
    "--json   is the nearest",
  ],
  [
    "status --json=yes",
    "Cannot use --json=yes: --json takes no value",
    "tc status --help   shows what it takes",
  ],
  [
    "--bogus",
    "Cannot use --bogus: tc has no such option",
    "tc --help   shows what it takes",
  ],
  ["swap lst", "Cannot find tc swap lst", "tc swap list   is the nearest"],
  // A group that does something by itself knows its commands as well.
  [
    "config shw",
    "Cannot find tc config shw",
    "tc config show   is the nearest",
  ],
  [
    "completion tcsh",
    "Cannot use tcsh for <shell>: it must be one of bash, zsh, fish, powershell",
    "tc completion --help   shows what it takes",
  ],
];

Deno.test("each refusal of the parser has our own sentence and a command", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  for (const [args, message, hint] of REFUSALS) {
    const { code, stderr } = await pool.tc(args.split(" "));
    strictEqual(code, 2, stderr);
    strictEqual(stderr, `${message}\n  ${hint}\n`, args);
  }
});

Deno.test("a message that nobody foresaw is passed on with the command", () => {
  const error = parserError("error: something new", ["stop"]);
  strictEqual(error.message, "Cannot run tc stop: something new");
  ok(!/error:/.test(error.message));
});

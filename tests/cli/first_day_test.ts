/** What a person sees on the first day: wrong words, narrow screens, a bad login. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { personShell } from "../../src/shell_words.ts";
import { foldedLines, Output } from "../../src/cli/output.ts";
import { plansView } from "../../src/control/history/plan_view.ts";
import { Zone } from "../../src/core/calendar.ts";
import { ServedPool } from "../fixtures/served_pool.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

Deno.test("a line is broken between words, goes on indented, and a long word stays whole", () => {
  const fold = (text: string, width: number) =>
    foldedLines(text, width, 2).join("|");
  strictEqual(fold("vault: files in /a/b", 40), "vault: files in /a/b");
  strictEqual(fold("vault: files in /a/b", 13), "vault: files|  in /a/b");
  strictEqual(
    fold("in /a/very/long/path now", 10),
    "in|  /a/very/long/path|  now",
  );
  strictEqual(fold("tc login   adds one", 12), "tc login|  adds one");
  strictEqual(
    fold("\u001b[31mred\u001b[0m words", 9),
    "\u001b[31mred\u001b[0m words",
  );
});

/** Returns what a program prints first, and ends it. */
async function firstText(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  child.kill("SIGTERM");
  await reader.cancel();
  await child.stderr.cancel();
  await child.status;
  return new TextDecoder().decode(value);
}

Deno.test("without a server tc accounts has no empty column, and says what is missing", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_20x" });
  await using pool = await TcPool.of(api);
  const { stdout, stderr } = await pool.tc(["accounts"]);
  match(stdout, /^account +plan +state\nwork +Max 20x +unknown\n$/);
  match(stderr, /No server runs, so states and use are not known: tc run/);
  // What is stored is known: who is off and whose login has ended.
  await pool.tc(["disable", "work"]);
  match((await pool.tc(["accounts"])).stdout, /\nwork +Max 20x +off\n$/);
  match((await pool.tc(["doctor"])).stdout, /account work +off\n/);
});

Deno.test("a terminal of ASCII gets signs of ASCII; a pipe and JSON keep theirs", () => {
  const shown = (options: { lang: string; isTerminal: boolean }) => {
    const written: string[] = [];
    const output = new Output({
      environment: { LANG: options.lang, TERM: "xterm" },
      person: personShell({}, "linux"),
      color: "never",
      isJson: false,
      isTerminal: options.isTerminal,
    });
    const writeSync = Deno.stdout.writeSync;
    Deno.stdout.writeSync = (bytes) => {
      written.push(new TextDecoder().decode(bytes));
      return bytes.length;
    };
    try {
      output.line("▲ yellow   1 ready · ↑ 2k  ✎ 3k  zoë…");
    } finally {
      Deno.stdout.writeSync = writeSync;
    }
    return written.join("");
  };
  const plain = "▲ yellow   1 ready · ↑ 2k  ✎ 3k  zoë…\n";
  strictEqual(shown({ lang: "C.UTF-8", isTerminal: true }), plain);
  strictEqual(shown({ lang: "C", isTerminal: false }), plain);
  strictEqual(
    shown({ lang: "C", isTerminal: true }),
    "! yellow   1 ready | ^ 2k  w 3k  zoë.\n",
  );
});

Deno.test("a stranger without a server: config, help, stop and a missing terminal", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const config = await pool.tc(["config"]);
  strictEqual(config.code, 0, config.stderr);
  match(config.stdout, /^proxy\.port = \d+ {2}\(file\)$/m);
  const help = await pool.tc(["help", "lgoin"]);
  strictEqual(help.code, 2);
  match(help.stderr, /Cannot find the command lgoin\n {2}tc login /);
  strictEqual((await pool.tc(["help", "switch"])).code, 0);
  const stop = await pool.tc(["stop"]);
  strictEqual(stop.code, 3);
  match(stop.stderr, /Cannot stop tc on .*: no server runs there/);
  ok(!stop.stderr.includes("starts it"), stop.stderr);
  const login = await pool.tc(["login", "--api"]);
  match(
    login.stderr,
    /Cannot ask without a terminal: API key\n {2}--api-key-stdin/,
  );
  const simulate = pool.command(["simulate", "--policy", "price"]).spawn();
  match(
    await firstText(simulate),
    /^Not your own work: too little history yet\. These are \d+ built-in/,
  );
  const narrow = await pool.tc([], { COLUMNS: "60" });
  for (const line of narrow.stdout.split("\n")) ok(line.length <= 60, line);
});

Deno.test("at 60 columns tc and tc status break no word; the doctor names a refused login once", async () => {
  await using served = await ServedPool.open({
    accounts: ["a-login-that-is-refused", "home"],
  });
  const { api, pool } = served;
  // Each account is asked, and the first one refuses the login for good.
  api.next("a-login-that-is-refused").times(3).fail("revoked");
  api.nextToken("a-login-that-is-refused").times(3).status(400);
  for (const session of ["s1", "s2", "s3", "s4"]) {
    await (await served.post({ session })).text();
  }
  const status = await pool.tc(["status"], { COLUMNS: "60" });
  match(status.stdout, /needs sign-in/);
  match(status.stdout, /^ {7}tc login --account a-login-that-is-refused$/m);
  const overview = await pool.tc([], { COLUMNS: "60" });
  for (const line of (status.stdout + overview.stdout).split("\n")) {
    // A path is one word, which a person copies.
    ok(line.length <= 60 || /^ *\/\S+$/.test(line), line);
  }
  const columns = status.stdout.split("\n").filter((line) => / tc_/.test(line))
    .map((line) => line.indexOf(" 200 "));
  ok(columns.length > 1 && new Set(columns).size === 1, status.stdout);
  const doctor = await pool.tc(["doctor"]);
  const named = doctor.stdout.split("\n").filter((line) =>
    line.startsWith("fail") && line.includes("a-login-that-is-refused")
  );
  strictEqual(named.length, 1, doctor.stdout);
  match(named[0] ?? "", /needs sign-in: the provider no longer accepts/);
});

Deno.test("minutes after a login nobody reads how many times a plan paid off", () => {
  const use = (hours: number) =>
    plansView([{
      account: {
        id: "a",
        label: "work",
        tier: "max_20x",
        kind: "subscription",
        ownUsdPerMonth: null,
      },
      isRemoved: false,
      fromMs: Date.UTC(2026, 10, 1),
      untilMs: Date.UTC(2026, 10, 1, hours),
      worthUsd: 3,
    }], new Zone("UTC"));
  strictEqual(use(0.1).times, null);
  ok((use(48).times ?? 0) > 0);
});

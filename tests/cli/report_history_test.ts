/** `tc report` with the months before tc: marked, once, kept, and opt-out. */

import "../fixtures/clean_environment.ts";
import {
  deepStrictEqual,
  match,
  ok,
  rejects,
  strictEqual,
} from "node:assert/strict";
import { databasePath, openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { vaultFolder } from "../../src/system/paths.ts";
import { at, ledgerEntry } from "../fixtures/ledger_rows.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { needs } from "../fixtures/skipped.ts";
import { writeTranscriptTree } from "../fixtures/transcript_tree.ts";

const SPAN = ["--since", "2026-01-01", "--tz", "UTC"];

interface Part {
  readonly requests: number;
}

interface Report {
  readonly source: string;
  readonly transcripts: { readonly isWhole: boolean } | null;
  readonly rows: readonly {
    readonly key: string | null;
    readonly requests: number;
    readonly beforeTc: Part | null;
    readonly notThroughTc: Part | null;
  }[];
  readonly total: Report["rows"][number] & { readonly costUsd: number };
}

async function report(pool: TcPool, by: string): Promise<Report> {
  return await pool.json(["report", by, ...SPAN]) as unknown as Report;
}

function secret(word: string): string {
  return JSON.stringify({
    type: "assistant",
    cwd: "/home/me/project",
    sessionId: "s9",
    message: {
      id: `msg_${word}`,
      model: "claude-opus-5-5",
      content: [{ type: "text", text: "the-words-of-a-prompt" }],
      usage: { input_tokens: 5, output_tokens: 7 },
    },
    requestId: `req_${word}`,
    timestamp: "2026-11-21T10:00:00.000Z",
  });
}

Deno.test("a session in JSON has the times of its own first and last answer", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const project = pool.folder.join(".claude/projects/-own");
  await Deno.mkdir(project, { recursive: true });
  const times = ["10:05:00", "10:00:00", "11:30:00"];
  const lines = times.map((time, at) =>
    secret(`m${at}`).replace("T10:00:00.000Z", `T${time}.000Z`)
  );
  await Deno.writeTextFile(`${project}/s9.jsonl`, `${lines.join("\n")}\n`);
  const view = await pool.json(["report", "session", ...SPAN]) as unknown as {
    rows: { firstAt: { iso: string }; lastAt: { iso: string } }[];
  };
  strictEqual(view.rows.length, 1);
  // A request began some seconds before its answer was written down.
  match(view.rows[0]?.firstAt.iso ?? "", /^2026-11-21T(09:59:5|10:00:00)/);
  match(view.rows[0]?.lastAt.iso ?? "", /^2026-11-21T11:(29:5|30:00)/);
});

Deno.test("tc report tells what was before tc and what did not go through it", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const claude = pool.folder.join(".claude");
  writeTranscriptTree({ folder: claude, bytes: 400_000 });
  const first = await report(pool, "day");
  strictEqual(first.source, "ledger_and_transcripts");
  strictEqual(first.transcripts?.isWhole, true);
  ok(first.total.requests > 20);
  strictEqual(first.total.beforeTc?.requests, first.total.requests);
  strictEqual(first.total.notThroughTc, null);

  // A day of tc: one request through it, and one past it.
  const project = `${claude}/projects/-own`;
  await Deno.mkdir(project);
  const own = `${project}/s9.jsonl`;
  await Deno.writeTextFile(own, `${secret("in")}\n${secret("past")}\n`);
  const database = openDatabase(
    databasePath(pool.paths.stateFolder),
    "read_write",
  );
  new Ledger(database).write([
    ledgerEntry({
      session: "s9",
      startedAt: at("2026-11-21T09:59:58Z"),
      endedAt: at("2026-11-21T10:00:01Z"),
      providerId: "req_in",
    }),
  ]);
  database.close();
  const second = await report(pool, "day");
  const day = second.rows.find(({ key }) => key === "2026-11-21");
  strictEqual(day?.requests, 2);
  strictEqual(day?.notThroughTc?.requests, 1);
  strictEqual(day?.beforeTc, null);
  strictEqual(second.total.requests, first.total.requests + 2);

  const text = await pool.tc(["report", "day", ...SPAN]);
  match(text.stdout, /2026-11-21 .*50% not through tc\n/);
  match(text.stdout, /before tc\n/);
  match(text.stdout, /by Claude Code's transcripts, account unknown/);
  const accounts = await pool.tc(["report", "account", ...SPAN]);
  match(accounts.stdout, /\(unknown\) .* before tc\n/);
  match(accounts.stdout, /\(unknown\) .* not through tc\n/);

  // Several sections in one call, as tables, JSON and CSV.
  const both = await pool.tc(["report", "day", "model", ...SPAN]);
  match(both.stdout, /^by day, [^]*\n\nby model, /);
  const { schema, sections } = await pool.json([
    ...["report", "day", "model", "day", ...SPAN],
  ]) as unknown as { schema: string; sections: Report[] };
  strictEqual(schema, "tc.report_sections/v1");
  deepStrictEqual(sections[0]?.rows, second.rows);
  strictEqual(sections.length, 2);
  const csv = await pool.tc(["report", "day", "model", ...SPAN, "--csv"]);
  const lines = csv.stdout.trimEnd().split("\n");
  match(lines[0] ?? "", /^by,key,label,firstAt,.*,worthUsd,unpriced,planUsd$/);
  strictEqual(
    lines.length,
    1 + sections.reduce((sum, { rows }) => sum + rows.length, 0),
  );
  strictEqual((await pool.tc(["report", "--csv", "--json"])).code, 2);

  // The client deletes its transcripts: what was read stays.
  await Deno.remove(claude, { recursive: true });
  const kept = await report(pool, "day");
  deepStrictEqual(kept.rows, second.rows);

  // Nothing of what was said is kept, and nobody else can read the rest.
  const file = `${pool.paths.stateFolder}/transcripts.db`;
  const bytes = new TextDecoder("latin1").decode(await Deno.readFile(file));
  ok(!bytes.includes("the-words-of-a-prompt"));
  if (Deno.build.os !== "windows") {
    strictEqual(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
  }

  const off = await pool.tc(["config", "set", "history.transcripts", "false"]);
  strictEqual(off.code, 0, off.stderr);
  const without = await report(pool, "day");
  strictEqual(without.source, "ledger");
  strictEqual(without.total.requests, 1);
});

Deno.test("without a ledger and without transcripts there is no history", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  await Deno.remove(vaultFolder(pool.paths), { recursive: true });
  const { code, stderr } = await pool.tc(["report"]);
  strictEqual(code, 69, stderr);
  match(stderr, /^There is no history yet: nothing went through tc/);
  match(stderr, /tc run {3}makes some; a demo keeps its own/);
  await rejects(Deno.stat(vaultFolder(pool.paths)), Deno.errors.NotFound);
});

Deno.test("tc simulate replays work from before tc on the accounts of today", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_5x" });
  await using pool = await TcPool.of(api);
  writeTranscriptTree({
    folder: pool.folder.join(".claude"),
    bytes: 600_000,
    until: Date.now(),
  });
  const args = ["simulate", "--days", "90", "--policy", "price"];
  const { history } = await pool.json(args) as unknown as {
    history: {
      requests: number;
      outside: number;
      check: { recordedTokens: number; predictedTokens: number };
    };
  };
  ok(history.requests > 50, `${history.requests} requests`);
  strictEqual(history.outside, history.requests);
  ok(history.check.recordedTokens > 0);
  const { stdout } = await pool.tc(args);
  match(stdout, /\d+ of them before tc or not through tc/);
});

Deno.test({
  name: "Ctrl-C stops the first look, and what was read is kept",
  ignore: needs("signals"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    writeTranscriptTree({
      folder: pool.folder.join(".claude"),
      bytes: 60_000_000,
    });
    const args = ["report", "day", ...SPAN, "--json"];
    const child = pool.command(args).spawn();
    const file = `${pool.paths.stateFolder}/transcripts.db`;
    while (!await isThere(file)) await new Promise((go) => setTimeout(go, 5));
    child.kill("SIGINT");
    const { code, stderr } = await child.output();
    match(new TextDecoder().decode(stderr), /Stopped: \d+ MB of 6\d MB/);
    strictEqual(code, 130);
    const whole = await report(pool, "day");
    strictEqual(whole.transcripts?.isWhole, true);
    await Deno.remove(file);
    deepStrictEqual((await report(pool, "day")).rows, whole.rows);
  },
});

async function isThere(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

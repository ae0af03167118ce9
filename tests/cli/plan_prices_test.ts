/** `tc prices plan`, and what `tc report` makes of it. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { AccountsView } from "../../src/control/protocol.ts";
import type { ReportView } from "../../src/control/history/report_view.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { databasePath, openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { ledgerEntry } from "../fixtures/ledger_rows.ts";
import { listening } from "../fixtures/listening.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { vaultFolder } from "../../src/system/paths.ts";

const DAY_MS = 86_400_000;
const DOLLAR = 1_000_000_000;

/** An answer of $40 by each account, two days ago and yesterday. */
async function fill(pool: TcPool): Promise<void> {
  const { entries } = await (await pool.vault()).list();
  const { stateFolder } = pool.paths;
  await Deno.mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const database = openDatabase(databasePath(stateFolder), "read_write");
  const ago = (days: number) => instantFromMs(Date.now() - days * DAY_MS);
  new Ledger(database).write(
    entries.flatMap(({ id, kind }) =>
      [2, 1].map((days) =>
        ledgerEntry({
          startedAt: ago(days),
          endedAt: ago(days),
          accountId: id,
          isPaid: kind === "api_key",
        }, 20 * DOLLAR)
      )
    ),
  );
  database.close();
}

async function plans(
  pool: TcPool,
): Promise<NonNullable<ReportView["plans"]>> {
  const view = await pool.json(["report", "account"]) as unknown as ReportView;
  ok(view.plans !== null);
  return view.plans;
}

Deno.test("a plan of unknown price is said so in every report until a person states it, and taken back again", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_20x" });
  api.account("firm", { tier: "team" });
  api.account("console", { kind: "api_key" });
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  await fill(pool);
  const before = await pool.tc(["report"]);
  match(
    before.stdout,
    /\nworth \$40\.00 · plans cost \$[\d.]+ · \d+\.\d times\n/,
  );
  match(
    before.stdout,
    /\n {2}without firm \(Team\): the plan's price is unknown\n/,
  );
  strictEqual((await plans(pool)).worthUsd, 40);
  const csv = (await pool.tc(["report", "account", "--csv"])).stdout;
  match(csv.split("\n")[0] ?? "", /,planUsd$/);
  const without = await pool.tc(["report", "--no-cost"]);
  ok(!/plans cost/.test(without.stdout), without.stdout);

  const { stdout } = await pool.tc(["prices", "plan", "firm", "$150"]);
  strictEqual(stdout, "firm: its plan costs $150 a month.\n");
  const after = await plans(pool);
  strictEqual(after.worthUsd, 80);
  strictEqual(after.accounts.length, 2, "the key has no plan");
  match(
    (await pool.tc(["prices", "plan"])).stdout,
    /\nfirm +Team +\$150 +your own\n/,
  );
  match(
    (await pool.tc(["accounts", "-v"])).stdout,
    /plan \$150 a month, as you stated/,
  );
  for (const price of ["-1", "1e3", "ten", "1000001", "1.234"]) {
    strictEqual(
      (await pool.tc(["prices", "plan", "firm", "--", price])).code,
      2,
      price,
    );
  }
  strictEqual((await pool.tc(["prices", "plan", "nobody"])).code, 2);
  strictEqual((await pool.tc(["prices", "plan", "firm", "none"])).code, 0);
  strictEqual((await plans(pool)).worthUsd, 40);
});

Deno.test("a running server takes a stated price, and its report for the page has it at once", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "team" });
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  await fill(pool);
  pool.command(["server", "--headless"], { stdout: "null", stderr: "null" })
    .spawn();
  await listening(pool.port);
  const drawn = async () => {
    const answer = await fetch(`${await pool.baseUrl()}/tc/v1/report?by=month`);
    return (await answer.json() as ReportView).plans;
  };
  strictEqual((await drawn())?.costUsd, null);
  strictEqual((await pool.tc(["prices", "plan", "work", "90"])).code, 0);
  const plans = await drawn();
  deepStrictEqual(
    plans?.accounts.map(({ label, usdPerMonth, priceFrom }) => [
      label,
      usdPerMonth,
      priceFrom,
    ]),
    [["work", 90, "own"]],
  );
  ok((plans?.costUsd ?? 0) > 0);
  const accounts = await pool.json(["accounts"]) as unknown as AccountsView;
  strictEqual(accounts.accounts[0]?.planPrice, 90);
});

Deno.test("where a login cannot be read no plan is compared, and none is called removed", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_20x" });
  api.account("home", { tier: "pro" });
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  await fill(pool);
  strictEqual((await plans(pool)).accounts.length, 2);
  const { entries } = await (await pool.vault()).list();
  const folder = vaultFolder(pool.paths);
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.startsWith(entries[0]?.id ?? "-")) continue;
    await Deno.writeTextFile(`${folder}/${name}`, "not an entry");
  }
  const view = await pool.json(["report", "account"]) as unknown as ReportView;
  strictEqual(view.plans, null);
  strictEqual(view.total.requests, 4, "what was spent is shown all the same");
});

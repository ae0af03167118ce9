/** What the real client wrote down of a session, against the ledger. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { sessionTokens } from "../../src/claude/sessions/session_tokens.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { databasePath, openDatabase } from "../../src/store/ledger/database.ts";
import { ClaudeHome, whyNoClaude } from "../fixtures/claude_code.ts";
import { PoolFolder } from "../fixtures/pool_server.ts";

const WHY_NOT = whyNoClaude();

interface Recorded {
  readonly session: string;
  readonly fresh: number;
  readonly output: number;
  readonly agents: number;
  readonly compactions: number;
  /** Of the request that wrote the summary. */
  readonly summaryFresh: number;
  readonly summaryOutput: number;
}

function recorded(folder: string): Recorded {
  const database = openDatabase(databasePath(folder), "read_only");
  const rows = database.prepare(
    `SELECT names.text AS session,
       sum(input + cache_write_5m + cache_write_1h) AS fresh,
       sum(output) AS output, count(DISTINCT agent) AS agents,
       sum(is_compaction) AS compactions,
       sum(iif(is_compaction, input + cache_write_5m + cache_write_1h, 0))
         AS summaryFresh,
       sum(iif(is_compaction, output, 0)) AS summaryOutput
     FROM requests JOIN names ON names.id = session
     WHERE input IS NOT NULL GROUP BY session`,
  ).all();
  database.close();
  strictEqual(rows.length, 1);
  return { ...rows[0] } as unknown as Recorded;
}

async function transcriptOf(
  home: ClaudeHome,
  session: string,
): Promise<string> {
  const projects = `${home.home}/.claude/projects`;
  for await (const { name } of Deno.readDir(projects)) {
    const path = `${projects}/${name}/${session}.jsonl`;
    try {
      await Deno.stat(path);
      return path;
    } catch {
      // Another project's folder.
    }
  }
  throw new Error("The client wrote no transcript");
}

Deno.test({
  name: WHY_NOT === null
    ? "transcript and ledger agree on a session with sub-agent and compaction"
    : `transcript and ledger agree (skipped: ${WHY_NOT})`,
  ignore: WHY_NOT !== null,
  fn: async () => {
    await using api = await startScriptedApi({ seed: 6 });
    api.account("work", { tier: "max_20x" });
    await using pool = new PoolFolder();
    await pool.fill(api);
    const server = await pool.start();
    await using home = await ClaudeHome.make();
    const turns = [
      ["demo:tool Agent demo:tool Bash echo inner-$((40+2))"],
      ["demo:say two", "--continue"],
      ["/compact", "--continue"],
      ["demo:say three", "--continue"],
    ];
    for (const words of turns) {
      const { code, stderr } = await home.run(
        ["--dangerously-skip-permissions", "-p", ...words],
        {
          ANTHROPIC_BASE_URL: server.baseUrl,
          CLAUDE_CODE_OAUTH_TOKEN: "sk-ant-oat01-FAKE-of-the-client",
        },
      );
      strictEqual(code, 0, stderr);
    }
    await server.stop();

    const seen = recorded(pool.stateFolder);
    const { session } = seen;
    strictEqual(seen.agents, 1);
    strictEqual(seen.compactions, 1);
    const { total, isWhole } = sessionTokens({
      transcript: await transcriptOf(home, session),
      session,
      before: {},
      mayGoOn: () => true,
    });
    ok(isWhole);
    // The client notes a summary's text and not what it cost to write.
    ok(seen.summaryOutput > 0);
    deepStrictEqual(total, {
      fresh: seen.fresh - seen.summaryFresh,
      output: seen.output - seen.summaryOutput,
    });
  },
});

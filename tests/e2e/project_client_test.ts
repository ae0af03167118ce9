/** The project of the real client, by its launch and by its own files. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { basename } from "node:path";
import { claudeBinary, testEachClaude } from "../fixtures/claude_code.ts";
import { ClientStage, QUIET } from "../fixtures/client_stage.ts";

/** The projects of a report, once it has `count` requests. */
async function projectsOf(
  { pool }: ClientStage,
  count: number,
): Promise<readonly (string | null)[]> {
  for (let tries = 0;; tries++) {
    const { rows } = await pool.json(["report", "project"]) as {
      rows: { key: string | null; requests: number }[];
    };
    const all = rows.reduce((sum, { requests }) => sum + requests, 0);
    if (all >= count || tries === 20) return rows.map(({ key }) => key);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

testEachClaude(
  "a rule by project holds from the client's first request, by tc run and by tc env",
  async (version) => {
    await using stage = await ClientStage.open({
      ...QUIET,
      routes: [{ project: "PROJECT", accounts: ["spare"] }],
    }, version);
    const { project } = stage.claude;
    const name = basename(project);
    const rule = JSON.stringify([{ project: name, accounts: ["spare"] }]);
    const set = await stage.pool.tc(["config", "set", "routes", rule]);
    strictEqual(set.code, 0, set.stderr);
    const run = await stage.run(["-p", "demo:say one"]);
    strictEqual(run.code, 0, run.stderr);
    const byRun = stage.messages().length;
    ok(byRun > 0);

    const { variables } = await stage.pool.json(["env"]) as {
      variables: Record<string, string | null>;
    };
    const set2 = Object.fromEntries(
      Object.entries(variables).filter(([, value]) => value !== null),
    ) as Record<string, string>;
    const { success, stdout, stderr } = await new Deno.Command(
      await claudeBinary(version),
      {
        args: ["--dangerously-skip-permissions", "-p", "demo:say two"],
        cwd: project,
        clearEnv: true,
        env: { ...stage.pool.variables, ...stage.variables(), ...set2 },
        stdin: "null",
      },
    ).output();
    const said = new TextDecoder().decode(stdout) +
      new TextDecoder().decode(stderr);
    ok(success, said);
    ok(stage.messages().length > byRun);
    deepStrictEqual(
      [...new Set(stage.messages().map(({ account }) => account))],
      ["spare"],
      "no request of the project was served by another account",
    );
    const real = await Deno.realPath(project);
    deepStrictEqual(await projectsOf(stage, stage.messages().length), [real]);
  },
);

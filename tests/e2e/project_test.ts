/** Projects: known from a launch, a hook or the client's files; rules by them. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { needs } from "../fixtures/skipped.ts";

/** Stands in for Claude Code: one message, with the headers it is told to add. */
const CLIENT = `
const headers = { "content-type": "application/json" };
for (const line of (Deno.env.get("ANTHROPIC_CUSTOM_HEADERS") ?? "").split("\\n")) {
  const [name, value] = line.split(": ");
  if (value !== undefined) headers[name] = value;
}
console.error("HEADERS " + JSON.stringify(headers));
const response = await fetch(
  Deno.env.get("ANTHROPIC_BASE_URL") + "/v1/messages",
  {
    method: "POST",
    headers: { ...headers, "x-claude-code-session-id": Deno.args[0] },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 100,
      messages: [{ role: "user", content: "hello" }],
      tools: [{ name: "Bash", input_schema: {} }],
    }),
  },
);
console.log(response.status, await response.text());
`;

const ACME = "aaaaaaaa-1111-4222-8333-444444444444";
const LOST = "bbbbbbbb-1111-4222-8333-444444444444";
const FOUND = "cccccccc-1111-4222-8333-444444444444";
const OTHER = "dddddddd-1111-4222-8333-444444444444";

async function clientPath(pool: TcPool): Promise<string> {
  const folder = pool.folder.join("bin");
  await Deno.mkdir(folder);
  await Deno.writeTextFile(pool.folder.join("client.ts"), CLIENT);
  await Deno.writeTextFile(
    `${folder}/claude`,
    `#!/bin/sh\nexec '${Deno.execPath()}' run -A --no-check '${
      pool.folder.join("client.ts")
    }' "$@"\n`,
    { mode: 0o755 },
  );
  return `${folder}:${Deno.env.get("PATH")}`;
}

/** Sends one message of a session without any header of a launch. */
async function ask(pool: TcPool, session: string): Promise<number> {
  const response = await fetch(`${await pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-claude-code-session-id": session,
    },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 50,
      messages: [{ role: "user", content: "hello" }],
    }),
  });
  await response.body?.cancel();
  return response.status;
}

/** The rows of a report by project, once the ledger has `count` of them. */
async function projects(
  pool: TcPool,
  count: number,
): Promise<Record<string, [label: string | null, requests: number]>> {
  for (let tries = 0;; tries++) {
    const view = await pool.json(["report", "project"]);
    const rows = view["rows"] as {
      key: string | null;
      label: string | null;
      requests: number;
    }[];
    const all = rows.reduce((sum, { requests }) => sum + requests, 0);
    if (all >= count || tries === 20) {
      return Object.fromEntries(
        rows.map(({ key, label, requests }) => [
          key ?? "",
          [label, requests] as const,
        ]),
      ) as Record<string, [string | null, number]>;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

Deno.test({
  name:
    "a project is known from tc run or the client's files, stays here, and its rule decides",
  // The stand-in is a shell script.
  ignore: needs("scripts"),
  fn: async () => {
    await using api = await startScriptedApi();
    for (const name of ["home", "spare", "work"]) api.account(name);
    await using pool = await TcPool.of(api, {
      usage: { poll: false },
      routes: [
        { project: "acme", accounts: ["work"], policy: "scored" },
        { project: "lost", accounts: ["gone"] },
      ],
    });
    const PATH = await clientPath(pool);
    const at = (path: string) => pool.folder.join(path);
    for (const path of ["src/acme/.git", "src/acme/deep", "src/lost/.git"]) {
      await Deno.mkdir(at(path), { recursive: true });
    }
    const sent = () => api.requests("/v1/messages");

    const run = await pool.tc(
      ["run", "--", ACME],
      { PATH },
      at("src/acme/deep"),
    );
    match(run.stdout, /^200 /, run.stderr);
    strictEqual(sent().at(-1)?.account, "work");
    ok(sent().at(-1)?.headers.every(([name]) => !name.startsWith("x-tc-")));
    // The client sends its headers to its maker as well.
    match(run.stderr, /"x-tc-project":"@[0-9a-f-]{36}"/);
    ok(!/HEADERS.*acme/.test(run.stderr));

    const before = sent().length;
    const lost = await pool.tc(["run", "--", LOST], { PATH }, at("src/lost"));
    match(lost.stdout, /^400 .*project .*src\/lost allows only gone/);
    strictEqual(sent().length, before, "nothing was sent");

    await Deno.mkdir(at(".claude/sessions"), { recursive: true });
    await Deno.writeTextFile(
      at(".claude/sessions/17.json"),
      JSON.stringify({ sessionId: FOUND, cwd: at("src/acme/deep") }),
    );
    strictEqual(await ask(pool, FOUND), 200);
    strictEqual(sent().at(-1)?.account, "work", "its first request, too");
    strictEqual(await ask(pool, OTHER), 200);

    const explained = await pool.json(["explain", ACME]);
    strictEqual(explained["project"], at("src/acme"));
    deepStrictEqual(explained["route"], {
      project: "acme",
      accounts: ["work"],
      policy: "scored",
    });
    const text = (await pool.tc(["explain", ACME])).stdout;
    match(text, /by the rule for acme, only work may serve, by policy scored/);
    match(text, /not in the rule of this project/);
    match(text, /Policy scored, for this project/);
    deepStrictEqual(await projects(pool, 4), {
      [at("src/acme")]: ["acme", 2],
      [at("src/lost")]: ["lost", 1],
      "": [null, 1],
    });
    match((await pool.tc(["report", "project"])).stdout, /^acme .*\n.*lost/m);
    const doctor = await pool.tc(["doctor"]);
    match(
      doctor.stdout,
      /routes\[1\] \(project lost\) names gone .*: there is no/,
    );
    const set = await pool.tc([
      "config",
      "set",
      "routes",
      '[{"project": "lost", "accounts": ["wrok"]}]',
    ]);
    match(set.stderr, /names wrok \(did you mean work\?\): there is no such/);
    strictEqual(await ask(pool, LOST), 400, "the rule holds at once");
  },
});

Deno.test("a rule that cannot be read says what is wrong with it", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const table: readonly (readonly [value: string, said: RegExp])[] = [
    ["{}", /it must be a list of rules/],
    [
      '[{"projekt": "a"}]',
      /rule 1 has the field projekt.*did you mean project/,
    ],
    ['[{"accounts": ["a"]}]', /rule 1 needs a project/],
    ['[{"project": "a", "accounts": []}]', /needs accounts as a list/],
    ['[{"project": "a", "policy": "pase"}]', /policy pase.*did you mean pace/],
  ];
  for (const [value, said] of table) {
    const { code, stderr } = await pool.tc(["config", "set", "routes", value]);
    strictEqual(code !== 0, true, value);
    match(stderr, said);
  }
});

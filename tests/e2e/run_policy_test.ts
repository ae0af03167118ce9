/** `tc run --policy`: a policy for one launch, and for no other. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
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
const [session] = Deno.args;
const response = await fetch(
  Deno.env.get("ANTHROPIC_BASE_URL") + "/v1/messages",
  {
    method: "POST",
    headers: { ...headers, "x-claude-code-session-id": session },
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

const OWN = "aaaaaaaa-1111-4222-8333-444444444444";
const USUAL = "bbbbbbbb-1111-4222-8333-444444444444";

/** A folder with a program called `claude` in it. */
async function programFolder(pool: TcPool): Promise<string> {
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
  return folder;
}

Deno.test({
  name: "tc run --policy routes its own launch by it, and no other",
  // The stand-in is a shell script.
  ignore: needs("scripts"),
  fn: async () => {
    await using api = await startScriptedApi();
    for (const name of ["work", "home"]) api.account(name);
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const path = `${await programFolder(pool)}:${Deno.env.get("PATH")}`;

    const unknown = await pool.tc(["run", "--policy", "best"], { PATH: path });
    strictEqual(unknown.code, 2);
    match(unknown.stderr, /Cannot use policy best: it must be one of price/);
    strictEqual(api.requests().length, 0);

    const own = await pool.tc(
      ["run", "--policy", "scored", "--", OWN],
      { PATH: path, ANTHROPIC_CUSTOM_HEADERS: "x-team: a\nx-tc-policy: pace" },
    );
    match(own.stdout, /^200 /, own.stderr);
    match(own.stderr, /scored chooses the accounts of this launch/);
    const usual = await pool.tc(["run", "--", USUAL], { PATH: path });
    match(usual.stdout, /^200 /, usual.stderr);

    for (const { headers } of api.requests("/v1/messages")) {
      ok(headers.every(([name]) => !name.startsWith("x-tc-")));
    }
    const first = api.requests("/v1/messages")[0]?.headers ?? [];
    ok(first.some(([name, value]) => name === "x-team" && value === "a"));

    const explained = await pool.json(["explain", OWN]);
    strictEqual(explained["policy"], "scored");
    strictEqual(explained["isOwnPolicy"], true);
    const other = await pool.json(["explain", USUAL]);
    strictEqual(other["policy"], "price");
    strictEqual(other["isOwnPolicy"], false);
    const { stdout } = await pool.tc(["status"]);
    match(stdout, /policy price \(scored for aaaaaaaa\)/);
  },
});

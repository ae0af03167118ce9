/** The real Claude Code client takes the fake API for the real one. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import type { DemoRequest } from "../../src/demo/provider/records.ts";
import {
  ClaudeHome,
  type ClaudeRun,
  whyNoClaude,
} from "../fixtures/claude_code.ts";

const WHY_NOT = whyNoClaude();

function clientTest(name: string, body: () => Promise<void>): void {
  Deno.test({
    name: WHY_NOT === null ? name : `${name} (skipped: ${WHY_NOT})`,
    ignore: WHY_NOT !== null,
    fn: body,
  });
}

/** One print turn of a subscription's session, straight at the fake API. */
function turn(
  api: ScriptedApi,
  home: ClaudeHome,
  ...words: readonly string[]
): Promise<ClaudeRun> {
  return home.run(["--dangerously-skip-permissions", "-p", ...words], {
    ANTHROPIC_BASE_URL: api.url,
    CLAUDE_CODE_OAUTH_TOKEN: api.account("work").token(),
  });
}

function messages(api: ScriptedApi): readonly DemoRequest[] {
  return api.requests("/v1/messages");
}

function assertRun(run: ClaudeRun, stdout: RegExp): void {
  strictEqual(run.code, 0, run.stderr + run.stdout);
  match(run.stdout, stdout);
}

clientTest("the real client is answered in a print turn", async () => {
  await using api = await startScriptedApi();
  await using home = await ClaudeHome.make();
  assertRun(
    await turn(api, home, "demo:say Good morning"),
    /^Good morning\s*$/,
  );
  deepStrictEqual(api.log(), ["work 200 complete"]);
  const [request] = messages(api);
  ok(request?.session !== null);
  ok((request?.usage.cacheWrite1h ?? 0) > 1_000);
});

clientTest("the real client runs a tool turn with an API key", async () => {
  await using api = await startScriptedApi();
  await using home = await ClaudeHome.make();
  const key = api.account("key", { kind: "api_key" });
  const run = await home.run([
    "--dangerously-skip-permissions",
    "-p",
    "demo:tool Bash echo tool-$((40+2))",
  ], { ANTHROPIC_BASE_URL: api.url, ANTHROPIC_API_KEY: key.token() });
  assertRun(run, /The tool said: tool-42/);
  deepStrictEqual(api.log(), ["key 200 complete", "key 200 complete"]);
  const [first, second] = messages(api);
  const written = first?.usage.cacheWrite5m ?? 0;
  ok(written > 1_000);
  strictEqual(second?.usage.cacheRead, written);
});

clientTest("the real client runs a sub-agent that runs a tool", async () => {
  await using api = await startScriptedApi();
  await using home = await ClaudeHome.make();
  const ask = "demo:tool Agent demo:tool Bash echo inner-$((40+2))";
  assertRun(await turn(api, home, ask), /The tool said:/);
  const [first, ...rest] = messages(api);
  const agents = rest.filter((request) => request.agent !== null);
  strictEqual(agents.length, 2);
  strictEqual(new Set(agents.map((request) => request.agent)).size, 1);
  match(agents[0]?.agent ?? "", /^a[0-9a-f]{16}$/);
  ok(rest.every((request) => request.session === first?.session));
  ok(messages(api).every((request) => request.ending === "complete"));
});

clientTest("the real client continues and compacts its session", async () => {
  await using api = await startScriptedApi();
  await using home = await ClaudeHome.make();
  assertRun(await turn(api, home, "demo:say one"), /^one/);
  assertRun(await turn(api, home, "demo:say two", "--continue"), /^two/);
  const [first, second] = messages(api);
  strictEqual(second?.session, first?.session);
  const written = first?.usage.cacheWrite1h ?? 0;
  ok((second?.usage.cacheRead ?? 0) >= written * 0.9);

  const before = messages(api).length;
  strictEqual((await turn(api, home, "/compact", "--continue")).code, 0);
  assertRun(await turn(api, home, "demo:say three", "--continue"), /^three/);
  const [summary, after] = messages(api).slice(before);
  ok((summary?.usage.output ?? 0) > 100, "no summary was written");
  strictEqual(after?.session, first?.session);
  ok((after?.usage.cacheWrite1h ?? 0) > 0);
});

clientTest(
  "the real client sees the fake's errors as the real API's",
  async () => {
    await using api = await startScriptedApi();
    await using home = await ClaudeHome.make();
    api.next("work").overload();
    api.next("work").stream(["message_start", { text: "Ha" }, "cut"]);
    assertRun(await turn(api, home, "demo:say At last"), /^At last/);
    deepStrictEqual(api.log(), [
      "work 529",
      "work 200 cut",
      "work 200 complete",
    ]);
    api.account("work").windows({ "5h": 1 }).resetIn("5h", 3_600_000);
    const limited = await turn(api, home, "hello");
    strictEqual(limited.code, 1);
    match(limited.stdout, /hit your .*limit/i);
    strictEqual(api.log().at(-1), "work 429");
  },
);

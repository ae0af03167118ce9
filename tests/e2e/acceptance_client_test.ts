/** Acceptance with the real Claude Code: peers' tests 1 and 8. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { HeaderList } from "../../src/ports.ts";
import { ClaudeHome, whyNoClaude } from "../fixtures/claude_code.ts";
import { served } from "../fixtures/proxy_client.ts";
import { LOCAL_KEY, ProxyKit } from "../fixtures/proxy_kit.ts";
import {
  type ScriptedOrigin,
  startScriptedOrigin,
} from "../fixtures/scripted_origin.ts";
import { ServedPool } from "../fixtures/served_pool.ts";

const WHY_NOT = whyNoClaude();
const TURNS = 9;

function clientTest(name: string, body: () => Promise<void>): void {
  Deno.test({
    name: WHY_NOT === null ? name : `${name} (skipped: ${WHY_NOT})`,
    ignore: WHY_NOT !== null,
    fn: body,
  });
}

/** One print turn of the client against `baseUrl`; throws unless it ended well. */
async function run(
  claude: ClaudeHome,
  baseUrl: string,
  prompt: string,
): Promise<string> {
  const { code, stdout, stderr } = await claude.run(
    ["--dangerously-skip-permissions", "-p", prompt],
    {
      ANTHROPIC_BASE_URL: baseUrl,
      ANTHROPIC_AUTH_TOKEN: "sk-ant-oat01-FAKE-of-the-client",
    },
  );
  strictEqual(code, 0, `${stdout}\n${stderr}`);
  return stdout;
}

clientTest("1: nine turns of a session stay on one account", async () => {
  await using pool = await ServedPool.open();
  await using claude = await ClaudeHome.make();
  const calls = Array.from(
    { length: TURNS - 1 },
    (_, index) => `demo:tool Bash echo turn-${index}`,
  );
  const said = await run(claude, pool.baseUrl, calls.join("\n"));
  ok(said.includes(`turn-${TURNS - 2}`), said);
  const requests = pool.messages();
  strictEqual(requests.length, TURNS);
  strictEqual(new Set(requests.map(({ session }) => session)).size, 1);
  ok(requests[0]?.session !== null);
  strictEqual(new Set(requests.map(({ account }) => account)).size, 1);
  for (const { usage } of requests.slice(1)) {
    ok(usage.cacheRead > 1_000, "the cache was lost");
  }
});

/** Whatever a request says anew each time, the credential, and the wire's own. */
const OWN_VALUES = [
  "authorization",
  "host",
  "content-length",
  "x-claude-code-session-id",
  "x-client-request-id",
];

/** The lines of each inference: names, and the values that do not change. */
function linesOf(origin: ScriptedOrigin): readonly (readonly string[])[] {
  return origin.requests()
    .filter(({ target }) => target.startsWith("/v1/messages"))
    .map(({ headers }) => comparable(headers));
}

function comparable(headers: HeaderList): readonly string[] {
  // Hop by hop: the provider's connection is ours.
  const lines = headers.filter(([name]) => name.toLowerCase() !== "connection");
  return lines.map(([name, value]) => {
    const lower = name.toLowerCase();
    return OWN_VALUES.includes(lower)
      ? lower
      : lower === "anthropic-beta"
      ? `${lower}: ${value.replace(/^oauth-2025-04-20,/, "")}`
      : `${lower}: ${value}`;
  }).sort();
}

clientTest("8: the provider sees the client's own header lines", async () => {
  await using direct = startScriptedOrigin();
  await using behind = startScriptedOrigin();
  direct.always(served);
  behind.always(served);
  await using kit = new ProxyKit({ origin: behind.url });
  await using claude = await ClaudeHome.make();
  await run(claude, direct.url, "say hi");
  await run(claude, `${kit.url}/k/${LOCAL_KEY}`, "say hi");
  const seen = linesOf(behind);
  ok(seen.length >= 1);
  deepStrictEqual(seen, linesOf(direct));
  for (const { headers, target } of behind.requests()) {
    const text = JSON.stringify([target, headers]);
    ok(!text.includes(LOCAL_KEY) && !text.includes("of-the-client"), text);
  }
});

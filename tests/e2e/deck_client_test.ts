/** The real Claude Code as the Deck sees it: it works, goes idle, drops out. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { dirname, join } from "node:path";
import { SessionReader } from "../../src/claude/sessions/sessions.ts";
import type { StatusView } from "../../src/control/protocol.ts";
import { agentsOf } from "../../src/deck/agent.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import {
  claudeBinary,
  ClaudeHome,
  whyNoClaude,
} from "../fixtures/claude_code.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const WHY_NOT = whyNoClaude();
const MINUTE_MS = 60_000;

Deno.test({
  name: WHY_NOT === null
    ? "a real client is present, idle and gone as the rule says"
    : `a real client is present, idle and gone (skipped: ${WHY_NOT})`,
  ignore: WHY_NOT !== null,
  async fn() {
    await using api = await startScriptedApi();
    api.account("work", { tier: "max_5x" });
    await using claude = await ClaudeHome.make();
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const folder = join(claude.home, ".claude");
    const run = async (...words: readonly string[]) => {
      const { code, stderr } = await pool.tc(
        ["run", "--", ...words],
        {
          PATH: `${dirname(await claudeBinary())}:${Deno.env.get("PATH")}`,
          CLAUDE_CONFIG_DIR: folder,
          CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
        },
        claude.project,
      );
      strictEqual(code, 0, stderr);
    };
    await run("-p", "demo:say hello");
    const session = api.requests("/v1/messages")[0]?.session ?? "";
    await Deno.mkdir(join(folder, "state"), { recursive: true });
    await Deno.writeTextFile(
      join(folder, "state", "sessions.json"),
      JSON.stringify([{ sid: `cc-${session}`, emoji: "🦊" }]),
    );
    const reader = new SessionReader(folder);
    const seen = async (afterMs: number) => {
      const now = Date.now() + afterMs;
      const local = await reader.read(now);
      const status = await pool.json(["status"]) as unknown as StatusView;
      return agentsOf(status, local, now)
        .map(({ id, account, isWarm }) => [id, account, isWarm]);
    };
    deepStrictEqual(await seen(0), [[session, "work", true]]);
    deepStrictEqual(await seen(6 * MINUTE_MS), [[session, "work", false]]);
    deepStrictEqual(await seen(31 * MINUTE_MS), []);
    // What the client writes while nobody works makes nobody present.
    const [transcript = ""] = await transcripts(folder, session);
    await Deno.writeTextFile(transcript, '{"type":"ai-title"}\n', {
      append: true,
    });
    deepStrictEqual(await seen(31 * MINUTE_MS), []);
    await run("-p", "demo:say again", "--continue");
    deepStrictEqual(await seen(0), [[session, "work", true]]);
  },
});

async function transcripts(
  folder: string,
  session: string,
): Promise<readonly string[]> {
  const found: string[] = [];
  const projects = join(folder, "projects");
  for await (const { name } of Deno.readDir(projects)) {
    const file = join(projects, name, `${session}.jsonl`);
    if (await Deno.stat(file).catch(() => null)) found.push(file);
  }
  return found;
}

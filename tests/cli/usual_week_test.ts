/** The forecast of a first day knows the transcripts from before tc. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import type { StatusView } from "../../src/control/protocol.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { DAY_MS } from "../../src/core/time.ts";

/** An answer of 20 million output tokens on each of 28 days, an hour ahead of now. */
function monthOfWork(): string {
  const lines = Array.from({ length: 28 }, (_, day) =>
    JSON.stringify({
      type: "assistant",
      cwd: "/home/me/project",
      sessionId: "s1",
      message: {
        id: `msg_${day}`,
        model: "claude-opus-5-5",
        usage: { input_tokens: 5, output_tokens: 20_000_000 },
      },
      requestId: `req_${day}`,
      timestamp: new Date(Date.now() - (day + 1) * DAY_MS + 3_600_000)
        .toISOString(),
    }));
  return `${lines.reverse().join("\n")}\n`;
}

type Usual = StatusView["forecast"]["usual"];

async function usualWeek(
  settings: Readonly<Record<string, unknown>>,
  triesMax: number,
): Promise<{
  readonly usual: Usual;
  readonly text: string;
}> {
  await using api = await startScriptedApi();
  api.account("work", { tier: "pro" });
  await using pool = await TcPool.of(api, {
    usage: { poll: false },
    ...settings,
  });
  const folder = pool.folder.join(".claude/projects/-own");
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/s1.jsonl`, monthOfWork());
  await pool.tc(["report"]);
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  let usual: Usual = null;
  for (let tries = 0; tries < triesMax && usual === null; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const status = await pool.json(["status"]) as unknown as StatusView;
    usual = status.forecast?.usual ?? null;
  }
  const { stdout } = await pool.tc(["status"]);
  await pool.tc(["stop"]);
  await server.status;
  return { usual, text: stdout };
}

Deno.test("the forecast of a first day knows the weeks before tc", async () => {
  const { usual, text } = await usualWeek({}, 50);
  strictEqual(usual?.weeks, 4);
  ok(usual.lastsUntil !== null && usual.lastsUntil.ms < Date.now() + DAY_MS);
  match(
    text,
    /forecast: nothing was used in the last hour; in your usual week it may run out \w+, uncertain\n/,
  );
});

Deno.test("without transcripts the forecast knows no week before tc", async () => {
  const { usual } = await usualWeek({ history: { transcripts: false } }, 5);
  strictEqual(usual, null);
});

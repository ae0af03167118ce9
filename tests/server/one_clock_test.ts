/**
 * Local time and UTC never share a screen: what people read is in their zone,
 * JSON and the log are in UTC.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { REPORT_KINDS } from "../../src/control/history/report_view.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { listening } from "../fixtures/listening.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const SESSION = "5f2c91aa-0000-4000-8000-000000000001";
/** Far from UTC, by a part of an hour as well. */
const FAR = { TZ: "Asia/Kathmandu" };
const FAR_MINUTES = 5 * 60 + 45;
const DAY_MINUTES = 24 * 60;
/** Forecasts are rounded in the zone of their reader, to an hour at most. */
const ROUNDING_MINUTES = 31;

const ISO = /\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)/g;
const CLOCK = /(?<![\d:])([01]\d|2[0-3]):([0-5]\d)(:[0-5]\d)?(?![\d:])/g;

const SCREENS: readonly (readonly string[])[] = [
  [],
  ["status"],
  ["accounts"],
  ["accounts", "-v"],
  ["capacity"],
  ["explain"],
  ["explain", SESSION],
  ...REPORT_KINDS.map((by) => ["report", by]),
  ["doctor"],
  ["pin"],
  ["swap", "list"],
  ["swap", "status"],
  ["profile", "list"],
  ["prices", "plan"],
  ["statusline"],
  ["watch", "--plain"],
];

/** Returns the clock times of a text, in minutes of their day. */
function clocksIn(text: string): readonly number[] {
  return [...text.matchAll(CLOCK)].map(([, hours, minutes]) =>
    Number(hours) * 60 + Number(minutes)
  );
}

/** Returns what a command prints; of one that goes on, its first words. */
async function screen(
  pool: TcPool,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  if (args[0] !== "watch" && args[0] !== "statusline") {
    const { stdout, stderr } = await pool.tc(args, env);
    return stdout + stderr;
  }
  const child = pool.command(args, { env, stdin: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("{}"));
  await writer.close();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  try {
    child.kill("SIGTERM");
  } catch {
    // It has ended.
  }
  await reader.cancel();
  await child.stderr.cancel();
  await child.status;
  return new TextDecoder().decode(value);
}

/** A pool with a spent, a full and a signed-out account, and a key that pays. */
async function busyPool(): Promise<
  { readonly pool: TcPool } & AsyncDisposable
> {
  const stack = new AsyncDisposableStack();
  const api = stack.use(await startScriptedApi());
  api.account("empty", { tier: "max_20x" }).windows({ "5h": 1, "7d": 0.5 });
  api.account("full", { tier: "max_20x" }).windows({ "5h": 0.95, "7d": 0.5 });
  api.account("console", { kind: "api_key" });
  const pool = stack.use(
    await TcPool.of(api, { usage: { poll: true } }),
  );
  const { stateFolder } = pool.paths;
  await Deno.mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const log = join(stateFolder, "server.log");
  const server = pool.command(["server", "--headless", "--log-file", log], {
    stdout: "null",
    stderr: "null",
    env: FAR,
  }).spawn();
  stack.defer(async () => {
    await pool.tc(["stop"], { TC_TIMEOUTS_DRAIN_MS: "1000" });
    await server.status;
  });
  await listening(pool.port);
  const ask = async (headers: Readonly<Record<string, string>>) => {
    const answer = await fetch(`${await pool.baseUrl()}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: messageBody({ model: "claude-opus-5-5", text: "demo:tokens 4000" }),
    });
    strictEqual(answer.status, 200, await answer.text());
  };
  const session = { "x-claude-code-session-id": SESSION };
  for (let count = 0; count < 3; count++) await ask(session);
  // What only the key can serve now is paid by the token.
  api.account("full").windows({ "5h": 1, "7d": 0.5 });
  await ask({});
  await ask({});
  return { pool, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test("every screen has the times of its reader's zone alone, and JSON and the log those of UTC", async () => {
  await using busy = await busyPool();
  const { pool } = busy;
  let seen = 0;
  for (const args of SCREENS) {
    const name = `tc ${args.join(" ")}`;
    const far = await screen(pool, args, FAR);
    const utc = await screen(pool, args, { TZ: "UTC" });
    ok(far !== "" && utc !== "", name);
    deepStrictEqual(far.match(ISO), null, `${name}\n${far}`);
    ok(!/\bUTC\b|\bGMT\b/.test(far), `${name}\n${far}`);
    const times = clocksIn(far);
    const others = clocksIn(utc);
    strictEqual(times.length, others.length, `${name}\n${far}\n${utc}`);
    times.forEach((time, at) => {
      const apart = time - (others[at] ?? 0) - FAR_MINUTES;
      const off = Math.abs(
        (apart + 2.5 * DAY_MINUTES) % DAY_MINUTES - DAY_MINUTES / 2,
      );
      ok(
        off <= ROUNDING_MINUTES,
        `${name}: ${off} minutes off\n${far}\n${utc}`,
      );
    });
    seen += times.length;
  }
  ok(seen > 20, `${seen} times`);
  match(await screen(pool, ["watch", "--plain"], FAR), /\(Asia\/Kath?mandu\)/);

  for (
    const args of [
      ["status"],
      ["accounts"],
      ["capacity"],
      ["explain", SESSION],
      ["report", "block"],
      ["report", "session"],
    ]
  ) {
    const { stdout } = await pool.tc([...args, "--json"], FAR);
    const times = stdout.match(ISO) ?? [];
    ok(times.length > 0, args.join(" "));
    for (const time of times) ok(time.endsWith("Z"), `${args}: ${time}`);
    deepStrictEqual(clocksIn(stdout.replaceAll(ISO, "")), [], stdout);
  }
  const { stdout: log } = await pool.tc(["logs"], FAR);
  const lines = log.trimEnd().split("\n");
  ok(lines.length > 3, log);
  for (const line of lines) match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /);
  deepStrictEqual(clocksIn(log.replaceAll(ISO, "")), [], log);
});

/**
 * `deno task soak:viewer`: an hour of `tc watch` on a terminal of 120 by 40, or
 * `--minutes N`: one beside a server with a request every five seconds, one
 * beside a server at rest. Prints once a minute what each viewer holds and what
 * it took of a core. TC_TEST_BINARY names the executable.
 */

import { parseArgs } from "node:util";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { Tmux } from "../fixtures/tmux.ts";

const MINUTE_MS = 60_000;
const ASK_EVERY_MS = 5_000;
const SETTLE_MS = 10_000;
const TICKS_PER_SECOND = 100;
const ACCOUNTS = ["work", "home", "spare"] as const;

interface Reading {
  readonly rssMb: number;
  readonly ownMb: number;
  readonly cpuMs: number;
}

interface Viewer extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly pool: TcPool;
  readonly tmux: Tmux;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function startViewer(name: string): Promise<Viewer> {
  const stack = new AsyncDisposableStack();
  const api: ScriptedApi = stack.use(await startScriptedApi({ seed: name }));
  for (const account of ACCOUNTS) api.account(account, { tier: "max_20x" });
  const pool = stack.use(await TcPool.of(api, { log: { level: "info" } }));
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  stack.defer(async () => {
    await pool.tc(["stop"]);
    await server.status;
  });
  while ((await pool.tc(["status"])).code !== 0) await pause(200);
  const tmux = stack.use(
    await Tmux.open({ columns: 120, rows: 40, variables: pool.variables }),
  );
  const words = [...tcCommand(), "watch"].map((word) => `'${word}'`).join(" ");
  await tmux.type(words);
  await tmux.until("Deck", (screen) => screen.includes("work"));
  const pid = await viewerPid(tmux);
  return {
    name,
    pid,
    pool,
    tmux,
    [Symbol.asyncDispose]: async () => {
      await tmux.press("q");
      await tmux.untilShell();
      await stack.disposeAsync();
    },
  };
}

async function viewerPid(tmux: Tmux): Promise<number> {
  const shell = (await tmux.run("display-message", "-p", "#{pane_pid}")).trim();
  const { stdout } = await new Deno.Command("ps", {
    args: ["--ppid", shell, "-o", "pid="],
  }).output();
  return Number(new TextDecoder().decode(stdout).trim().split("\n")[0]);
}

async function read(pid: number): Promise<Reading> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const figure = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    rssMb: figure("VmRSS"),
    ownMb: figure("RssAnon"),
    cpuMs: (ticks * 1_000) / TICKS_PER_SECOND,
  };
}

/** Sends one small request; the session changes every ten minutes. */
async function ask(pool: TcPool, nth: number): Promise<void> {
  const session = String(Math.floor(nth / 120)).padStart(12, "0");
  const response = await fetch(`${await pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "anthropic-version": "2023-06-01",
      "x-claude-code-session-id": `5f2c9100-0000-4000-8000-${session}`,
    },
    body: JSON.stringify({
      model: "claude-opus-5-5",
      max_tokens: 32,
      messages: [{ role: "user", content: `hello ${nth}` }],
    }),
  });
  await response.text();
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: { minutes: { type: "string", default: "61" } },
  });
  const minutes = Number(values.minutes);
  await using busy = await startViewer("busy");
  await using rest = await startViewer("rest");
  await pause(SETTLE_MS);
  let asked = 0;
  const timer = setInterval(() => {
    ask(busy.pool, asked++).catch((cause) => print(`request: ${cause}`));
  }, ASK_EVERY_MS);
  const viewers = [busy, rest];
  const before = await Promise.all(viewers.map(({ pid }) => read(pid)));
  let last = before;
  try {
    for (let minute = 0; minute <= minutes; minute++) {
      const now = await Promise.all(viewers.map(({ pid }) => read(pid)));
      const columns = now.map(({ rssMb, ownMb, cpuMs }, at) => {
        const took = cpuMs - (last[at]?.cpuMs ?? cpuMs);
        return `${viewers[at]?.name}  ${rssMb.toFixed(1)} MB, own ` +
          `${ownMb.toFixed(1)}, ${(took / (MINUTE_MS / 100)).toFixed(2)} %`;
      });
      print(`${String(minute).padStart(3)} min   ${columns.join("   ")}`);
      last = now;
      if (minute < minutes) await pause(MINUTE_MS);
    }
  } finally {
    clearInterval(timer);
  }
  for (const [at, viewer] of viewers.entries()) {
    const spent = (last[at]?.cpuMs ?? 0) - (before[at]?.cpuMs ?? 0);
    const share = spent / (minutes * MINUTE_MS) * 100;
    print(`${viewer.name}: ${share.toFixed(3)} % of a core`);
  }
  print(`${asked} requests`);
}

if (import.meta.main) {
  await main();
  Deno.exit(0);
}

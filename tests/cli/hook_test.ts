/** `tc hook` as a process: it never blocks a prompt and never speaks into one. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { HOOKS } from "../../src/claude/hook_input.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";

interface HookEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function hook(
  pool: TcPool,
  words: readonly string[],
  { stdin, env }: {
    readonly stdin: Uint8Array<ArrayBuffer>;
    readonly env?: Readonly<Record<string, string>>;
  },
): Promise<HookEnd> {
  const child = pool.command(["hook", ...words], {
    stdin: "piped",
    env: { ...env },
  }).spawn();
  const writer = child.stdin.getWriter();
  // A hook that has heard enough closes its end.
  await writer.write(stdin).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

const ODD: readonly Uint8Array<ArrayBuffer>[] = [
  bytes(""),
  bytes("{"),
  bytes("[]"),
  bytes(`{"error":{"a":1},"session_id":7}`),
  bytes(`{"error":"rate_limit","session_id":"s"}`),
  new Uint8Array([0xff, 0xfe, 0x00, 0x80]),
  bytes(`{"prompt":"${"x".repeat(3_000_000)}"}`),
];

Deno.test("tc hook ends with 0 or 1 and says nothing on stdout, whatever it is given", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const words = [...HOOKS, "unknown", "--version", ""];
  const count = trials(10, 300);
  for (let index = 0; index < count; index++) {
    const stdin = ODD[index % ODD.length] ?? bytes("");
    const word = words[index % words.length] ?? "";
    const { code, stdout } = await hook(pool, [word], { stdin });
    ok(code === 0 || code === 1, `${word}: ${code}`);
    strictEqual(stdout, "", word);
  }
});

Deno.test("tc hook without a name, or with too many words, blocks nothing", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  for (const words of [[], ["session-start", "more", "--odd", "-x"]]) {
    const { code, stdout } = await hook(pool, words, { stdin: bytes("") });
    strictEqual(code, 0);
    strictEqual(stdout, "");
  }
});

Deno.test("tc hook does not block without a server, and shows no key", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const { code, stdout, stderr } = await hook(pool, ["session-start"], {
    stdin: bytes("{}"),
    env: { ANTHROPIC_BASE_URL: "http://127.0.0.1:1/k/tc-secret" },
  });
  strictEqual(code, 1);
  strictEqual(stdout, "");
  match(
    stderr,
    /^tc: Cannot reach tc on 127\.0\.0\.1:1: no server runs there\n$/,
  );
});

Deno.test("tc hook changes no login before the user has begun to swap", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api);
  for (const name of HOOKS) {
    await hook(pool, [name], { stdin: bytes(`{"error":"rate_limit"}`) });
  }
  strictEqual(
    await Deno.stat(pool.folder.join(".claude")).catch(() => null),
    null,
  );
  strictEqual(api.requests().length, 0);
});

Deno.test("tc hook polls usage at most once a minute", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  api.account("home");
  await using pool = await TcPool.of(api);
  await pool.tc(["swap", "use", "work"]);
  const asked = () => api.requests("/api/oauth/usage").length;
  for (let round = 0; round < 3; round++) {
    await hook(pool, ["user-prompt-submit"], { stdin: bytes("{}") });
    const end = performance.now() + 20_000;
    while (asked() === 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // What a second question would take.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
  }
  strictEqual(asked(), 1);
});

Deno.test("tc hook swaps nothing under a client that goes through the proxy", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  api.account("home");
  await using pool = await TcPool.of(api);
  await pool.tc(["swap", "use", "work"]);
  const base = `http://127.0.0.1:${pool.port}`;
  const asked = api.requests().length;
  for (const name of ["session-start", "stop-failure"]) {
    await hook(pool, [name], {
      stdin: bytes(`{"error":"rate_limit"}`),
      env: { ANTHROPIC_BASE_URL: base },
    });
  }
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  strictEqual(api.requests().length, asked);
});

Deno.test("tc hook tells a running server what happens", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
  }).spawn();
  const log = new Response(server.stderr).text();
  for (let tries = 0; tries < 300; tries++) {
    const { code } = await pool.tc(["status"]);
    if (code === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const [origin = "", key = ""] = (await pool.baseUrl()).split("/k/");
  const launches = [
    { ANTHROPIC_BASE_URL: `${origin}/k/${key}` },
    {
      ANTHROPIC_BASE_URL: origin,
      ANTHROPIC_CUSTOM_HEADERS: `x-team: a\nx-tc-key: ${key}`,
    },
  ];
  for (const [index, env] of launches.entries()) {
    const { code, stderr } = await hook(pool, ["pre-compact"], {
      stdin: bytes(`{"session_id":"s-${index}","trigger":"auto"}`),
      env,
    });
    strictEqual(code, 0, stderr);
  }
  await pool.tc(["stop"]);
  await server.status;
  const lines = await log;
  match(lines, /hook .*hook=pre-compact session=s-0 .*trigger=auto/);
  match(lines, /hook .*hook=pre-compact session=s-1 .*trigger=auto/);
});

Deno.test("tc hook reports a plugin that is newer than the program", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const root = pool.folder.join("plugin");
  await Deno.mkdir(`${root}/.claude-plugin`, { recursive: true });
  const env = { CLAUDE_PLUGIN_ROOT: root };
  const stdin = bytes("{}");
  for (
    const [version, words] of [
      ["99.0.0", /is older than its plugin 99\.0\.0: tc upgrade$/],
      ["0.0.1", /^$/],
      ["../../etc", /^$/],
    ] as const
  ) {
    const file = `${root}/.claude-plugin/plugin.json`;
    await Deno.writeTextFile(file, JSON.stringify({ name: "tc", version }));
    const end = await hook(pool, ["session-start"], { stdin, env });
    strictEqual(end.code, 0);
    strictEqual(end.stderr, "");
    const { systemMessage = "", ...others } = JSON.parse(end.stdout || "{}");
    match(systemMessage, words);
    // Nothing of it enters the context.
    deepStrictEqual(others, {});
  }
});

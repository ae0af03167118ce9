/** What a person sees of a sign-in that ends: everywhere, three days before. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { after, DAY_MS, instantFromMs } from "../../src/core/time.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const HOUR_MS = 3_600_000;

/** A pool of `names`, whose sign-ins end so many days from now. */
async function opened(
  api: ScriptedApi,
  days: Readonly<Record<string, number>>,
): Promise<TcPool> {
  for (const name of Object.keys(days)) api.account(name, { tier: "max_5x" });
  const pool = await TcPool.of(api, { usage: { poll: false } });
  const vault = await pool.vault();
  const now = instantFromMs(Date.now());
  for (const entry of (await vault.list()).entries) {
    const { credential } = entry;
    if (credential.kind !== "oauth") continue;
    const signInEndsAt = after(
      now,
      (days[entry.label] ?? 0) * DAY_MS + HOUR_MS,
    );
    await vault.put({ ...entry, credential: { ...credential, signInEndsAt } });
  }
  return pool;
}

async function serve(pool: TcPool): Promise<AsyncDisposable> {
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const output = new Response(server.stderr).text();
  for (let tries = 0; tries < 300; tries++) {
    if ((await pool.tc(["status"])).code === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    async [Symbol.asyncDispose]() {
      await pool.tc(["stop"]);
      await server.status;
      // A sign-in that ends is worth a line, and not one for every request.
      const lines = (await output).split("\n").filter((line) =>
        line.includes("sign_in_ends")
      );
      strictEqual(lines.length, 1, lines.join("\n"));
      match(lines[0] ?? "", /soon/);
    },
  };
}

async function statusline(pool: TcPool): Promise<string> {
  const line = pool.command(["statusline"], {
    stdin: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const writer = line.stdin.getWriter();
  await writer.write(new TextEncoder().encode("{}"));
  await writer.close();
  return new TextDecoder().decode((await line.output()).stdout);
}

Deno.test("a sign-in that ends within three days is shown in every view", async () => {
  await using api = await startScriptedApi();
  await using pool = await opened(api, { soon: 2, later: 6, far: 29 });
  {
    await using _server = await serve(pool);
    const status = await pool.tc(["status"]);
    match(status.stdout, /the sign-in of soon ends \d+ \w+.*, in 2d/);
    match(status.stdout, /tc login --account soon/);
    ok(!/sign-in of (later|far)/.test(status.stdout), status.stdout);
    const { accounts } = await pool.json(["status"]);
    const ends = (accounts as readonly {
      label: string;
      signInEndsAt: { ms: number };
    }[]).map(({ label, signInEndsAt }) => [
      label,
      Math.floor((signInEndsAt.ms - Date.now()) / DAY_MS),
    ]);
    deepStrictEqual(ends.toSorted(), [["far", 29], ["later", 6], ["soon", 2]]);
    const doctor = await pool.tc(["doctor"]);
    match(doctor.stdout, /warn .*the sign-in of soon ends/);
    await pool.tc(["pin", "soon"]);
    const lines: string[] = [];
    // A server that does not answer in its 40 ms is not waited for.
    while (!lines.at(-1)?.includes("sign-in") && lines.length < 20) {
      lines.push(await statusline(pool));
    }
    match(lines.at(-1) ?? "", /sign-in ends in 2d/);
  }
  const all = await pool.tc(["accounts", "-v"]);
  strictEqual(all.stdout.match(/sign-in ends \d+ \w+/g)?.length, 3);
});

/** Runs `tc login --due` as a person who opens each page and is sent back. */
async function loginDue(
  api: ScriptedApi,
  pool: TcPool,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = pool.command(["login", "--due"], { env: { BROWSER: "true" } })
    .spawn();
  const output = new Response(child.stdout).text();
  let stderr = "";
  let seen = 0;
  const lines = child.stderr.pipeThrough(new TextDecoderStream());
  for await (const chunk of lines) {
    stderr += chunk;
    const pages = [...stderr.matchAll(/^(http:\S+\/oauth\/authorize\S+)$/gm)];
    for (const [page = ""] of pages.slice(seen)) {
      seen += 1;
      const asked = new URL(page);
      const email = asked.searchParams.get("login_hint");
      api.signIn(email?.split("@")[0] ?? null);
      api.set({ signsInAtOnce: true });
      const shown = await fetch(page, { redirect: "manual" });
      await shown.body?.cancel();
      const back = await fetch(shown.headers.get("location") ?? "");
      await back.body?.cancel();
    }
  }
  const { code } = await child.status;
  return { code, stdout: await output, stderr };
}

Deno.test("tc login --due renews what ends within a week, one after another", async () => {
  await using api = await startScriptedApi();
  await using pool = await opened(api, {
    far: 29,
    later: 6,
    soon: 2,
    over: -1,
  });
  const end = await loginDue(api, pool);
  strictEqual(end.code, 0, end.stderr);
  strictEqual(end.stdout, "Updated over.\nUpdated soon.\nUpdated later.\n");
  match(end.stderr, /1 of 3: over \(its sign-in ended /);
  match(end.stderr, /3 of 3: later \(its sign-in ends /);
  const days = (await (await pool.vault()).list()).entries.map((entry) =>
    entry.credential.kind === "oauth"
      ? [
        entry.label,
        Math.round(
          ((entry.credential.signInEndsAt ?? 0) - Date.now()) / DAY_MS,
        ),
      ]
      : []
  ).toSorted();
  deepStrictEqual(days, [
    ["far", 29],
    ["later", 30],
    ["over", 30],
    ["soon", 30],
  ]);
  const again = await pool.tc(["login", "--due"]);
  strictEqual(again.stdout, "No sign-in ends within a week.\n");
});

Deno.test("an expired login is reported as ended, not as refused", async () => {
  await using api = await startScriptedApi();
  await using pool = await opened(api, { over: -1 });
  api.account("over").expire().endSignInIn(-1);
  const use = await pool.tc(["swap", "use", "over"]);
  strictEqual(use.code, 4);
  match(
    use.stderr,
    /Cannot use over: its sign-in ended 30 days after its login/,
  );
  ok(!/knows .* no more|refused/.test(use.stderr), use.stderr);
  const { stdout } = await pool.tc(["accounts", "-v"]);
  match(stdout, /sign-in ended \d+ \w+: tc login --account over/);
});

Deno.test("a login file with odd values breaks no view", async () => {
  const odd: readonly unknown[] = [
    9_999_999_999_999_999,
    "9999999999999999",
    "2030-01-01T00:00:00Z",
    1_900_000_000,
    "soon",
    -1,
    Number.MAX_SAFE_INTEGER,
    1e300,
  ];
  for (const expiresAt of odd) {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const { accessToken, refreshToken } = api.account("ada").tokens();
    const file = pool.folder.join(".claude", ".credentials.json");
    await Deno.mkdir(pool.folder.join(".claude"));
    await Deno.writeTextFile(
      file,
      JSON.stringify({
        claudeAiOauth: {
          accessToken,
          refreshToken,
          expiresAt,
          refreshTokenExpiresAt: expiresAt,
          scopes: ["user:inference", "user:profile"],
        },
      }),
    );
    const imported = await pool.tc(["import", "--yes"]);
    strictEqual(imported.code, 0, imported.stderr);
    for (
      const args of [["accounts", "-v"], ["accounts", "--json"], ["doctor"], [
        "swap",
        "list",
        "--offline",
      ]]
    ) {
      const view = await pool.tc(args);
      ok(
        !/bug in tc|Invalid time/.test(view.stderr),
        `${expiresAt} ${view.stderr}`,
      );
      ok(
        view.code === 0 || args[0] === "doctor",
        `${expiresAt} ${view.stderr}`,
      );
    }
  }
});

Deno.test("a setup token in Claude Code's store is recognised", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  const token = api.account("year", { kind: "setup_token" }).token();
  await Deno.mkdir(pool.folder.join(".claude"));
  await Deno.writeTextFile(
    pool.folder.join(".claude", ".credentials.json"),
    JSON.stringify({
      claudeAiOauth: {
        accessToken: token,
        refreshToken: "",
        expiresAt: Date.now() + 300 * DAY_MS,
        scopes: ["user:inference"],
      },
    }),
  );
  const imported = await pool.tc(["import", "--yes"]);
  strictEqual(imported.code, 0, imported.stderr);
  const { accounts } = await pool.json(["accounts"]);
  const [account] = accounts as readonly { kind: string }[];
  strictEqual(account?.kind, "setup_token");
});

/**
 * A login from every source of import, given to the real client in every way:
 * by swap, by profile and by `tc run`, to an answer that streamed.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { type ClaudeVersion, testEachClaude } from "../fixtures/claude_code.ts";
import { loginText } from "../fixtures/swap_kit.ts";
import { SwapStage } from "../fixtures/swap_stage.ts";
import type { ProcessEnd } from "../fixtures/tc_process.ts";

interface Source {
  readonly name: string;
  /** The versions of the client that take it; null is every one. */
  readonly version: ClaudeVersion | null;
  /** Where the file lies, from the home. */
  readonly file: string;
  readonly text: (stage: SwapStage) => string;
}

/** A row as teamclaude and its kin write it: without scopes. */
function rows(stage: SwapStage, more: Record<string, unknown>): string {
  const { accessToken, refreshToken, expiresAt } = stage.api.account("work")
    .tokens();
  const { identity } = stage.api.account("work");
  return JSON.stringify({
    ...more,
    accounts: [{
      name: identity.email,
      type: "oauth",
      accountUuid: identity.accountUuid,
      accessToken,
      refreshToken,
      expiresAt,
    }],
  });
}

const SOURCES: readonly Source[] = [
  {
    name: "Claude Code",
    version: null,
    file: "elsewhere/.credentials.json",
    text: (stage) => loginText(stage.api.account("work")),
  },
  {
    name: "Claude Code without scopes",
    version: null,
    file: "elsewhere/.credentials.json",
    text: (stage) => {
      const { claudeAiOauth } = JSON.parse(
        loginText(stage.api.account("work")),
      );
      const { scopes: _scopes, ...login } = claudeAiOauth;
      return JSON.stringify({ claudeAiOauth: login });
    },
  },
  {
    name: "teamclaude",
    version: null,
    file: ".config/teamclaude.json",
    text: (stage) => rows(stage, { proxy: { apiKey: "tc-x" } }),
  },
  {
    name: "maxpool",
    version: "2.1.332",
    file: ".config/maxpool.json",
    text: (stage) => rows(stage, { proxy: { apiKey: "mp-x" } }),
  },
  {
    name: "nextclaude",
    version: "2.1.332",
    file: ".config/nextclaude.json",
    text: (stage) => rows(stage, { proxy: { apiKey: "nc-x" } }),
  },
  {
    name: "claude-pool",
    version: "2.1.332",
    file: ".config/claude-pool/pool.json",
    text: (stage) =>
      JSON.stringify({
        mode: "account",
        accounts: [{
          id: "work",
          email: stage.api.account("work").identity.email,
          blob: loginText(stage.api.account("work")),
        }],
        api_keys: [],
      }),
  },
];

function assertRun(run: ProcessEnd, stdout: RegExp = /(?:)/): void {
  strictEqual(run.code, 0, run.stderr + run.stdout);
  match(run.stdout, stdout);
}

/** Print turns whose answers must have come as a stream. */
const STREAM = [
  "--output-format",
  "stream-json",
  "--verbose",
  "--include-partial-messages",
];

function assertStreamed(run: ProcessEnd, text: string): void {
  assertRun(run, /content_block_delta/);
  match(run.stdout, new RegExp(`"result":"${text}"`));
}

for (const { name, version: only, file, text } of SOURCES) {
  testEachClaude(
    `a login of ${name} serves by swap, profile and run`,
    async (version) => {
      // Tools whose files are alike need the client once.
      if (only !== null && version !== only) return;
      await using stage = await SwapStage.open([], undefined, {
        version,
        hasHosts: true,
      });
      const path = join(stage.home, file);
      await Deno.mkdir(join(path, ".."), { recursive: true });
      await Deno.writeTextFile(path, text(stage));
      assertRun(
        await stage.tc("import", "--yes", "--from", path, "--name", "mine"),
        /added/,
      );
      const { accounts } = await stage.pool.json(["accounts"]);
      const [account] = accounts as readonly { label: string; tier: string }[];
      ok(account !== undefined);
      strictEqual(account.label, "mine");
      // The plan is the profile's, whatever the source says of it.
      strictEqual(account.tier, "max_5x");

      // Through the proxy, while the client has no login of its own.
      const run = await stage.tc(
        "run",
        "--",
        "--dangerously-skip-permissions",
        "-p",
        "demo:say by run",
        ...STREAM,
      );
      assertStreamed(run, "by run");

      // A profile of its own.
      assertRun(await stage.tc("profile", "add", "mine"));
      const profile = await stage.tc(
        "run",
        "--profile",
        "mine",
        "--",
        "--dangerously-skip-permissions",
        "-p",
        "demo:say by profile",
        ...STREAM,
      );
      assertStreamed(profile, "by profile");

      // Swapped into the client's own store.
      assertRun(await stage.tc("swap", "use", "mine"), /now has the login/);
      const login = await stage.login();
      ok((login?.["scopes"] as readonly string[]).includes("user:inference"));
      strictEqual(login?.["subscriptionType"], "max");
      strictEqual(login?.["rateLimitTier"], "default_claude_max_5x");
      assertStreamed(
        await stage.turn(["demo:say by swap", ...STREAM]),
        "by swap",
      );
      // And with its own login in place, through the proxy again.
      const again = await stage.tc(
        "run",
        "--",
        "--dangerously-skip-permissions",
        "-p",
        "demo:say by both",
        ...STREAM,
      );
      assertStreamed(again, "by both");
      deepStrictEqual(
        stage.messages().map(({ account, status }) => [account, status]),
        Array.from({ length: 4 }, () => ["work", 200]),
      );
      strictEqual(stage.api.families().killed, 0);
    },
  );
}

testEachClaude(
  "scopes that nobody knew are learned at the next renewal",
  async (version) => {
    await using stage = await SwapStage.open([], undefined, {
      version,
      hasHosts: true,
    });
    const path = join(stage.home, "teamclaude.json");
    await Deno.writeTextFile(path, rows(stage, {}));
    assertRun(await stage.tc("import", "--yes", "--from", path), /added/);
    const vault = await stage.pool.vault();
    const scopes = async () => {
      const [entry] = (await vault.list()).entries;
      return entry?.credential.kind === "oauth"
        ? entry.credential.scopes
        : null;
    };
    deepStrictEqual(await scopes(), []);
    stage.api.account("work").expire();
    const { label } = (await vault.list()).entries[0] ?? { label: "" };
    assertRun(await stage.tc("swap", "use", label));
    deepStrictEqual(await scopes(), [
      "user:inference",
      "user:profile",
      "user:sessions:claude_code",
    ]);
    assertRun(await stage.turn(["demo:say one"]), /^one/);
  },
);

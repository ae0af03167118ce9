/** What `tc run` gives the real client, and what a person sees of it. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { testEachClaude } from "../fixtures/claude_code.ts";
import { ClientStage, QUIET } from "../fixtures/client_stage.ts";
import { tcCommand } from "../fixtures/tc_process.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";

async function keyOf(stage: ClientStage): Promise<string> {
  return (await stage.pool.baseUrl()).split("/k/")[1] ?? "";
}

/** A server that is not tc's, where settings of another tool lead. */
class OtherTool implements AsyncDisposable {
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      this.requests.push(request.url);
      return new Response("{}", { status: 404 });
    },
  );
  readonly requests: string[] = [];

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

testEachClaude(
  "without an own login the client has a login's features and the plan's model",
  async (version) => {
    await using stage = await ClientStage.open(QUIET, version);
    const env = { ANTHROPIC_CUSTOM_HEADERS: "x-team: a" };
    const run = await stage.run(["-p", "demo:say one"], env);
    strictEqual(run.code, 0, run.stderr);
    const [request] = stage.messages();
    const headers = new Headers(request?.headers.map(([n, v]) => [n, v]));
    match(request?.model ?? "", /opus/);
    match(headers.get("anthropic-beta") ?? "", /oauth-2025-04-20/);
    match(headers.get("anthropic-beta") ?? "", /extended-cache-ttl/);
    ok((request?.usage.cacheWrite1h ?? 0) > 1_000);
    strictEqual(headers.get("x-team"), "a");
    const text = JSON.stringify(request?.headers);
    ok(!/x-tc-|tc-local/.test(text), text);
    ok(!text.includes(await keyOf(stage)), "the key went upstream");

    const chosen = await stage.run(["-p", "demo:say two"], {
      ANTHROPIC_MODEL: "haiku",
    });
    strictEqual(chosen.code, 0, chosen.stderr);
    match(stage.messages().at(-1)?.model ?? "", /haiku/);
    await stage.writeSettings({ model: "sonnet" });
    await stage.run(["-p", "demo:say three"]);
    match(stage.messages().at(-1)?.model ?? "", /sonnet/);
    // It reads no login, so it gets a token.
    const bare = await stage.run(["--bare", "-p", "demo:say four"]);
    strictEqual(bare.code, 0, bare.stdout + bare.stderr);
  },
);

testEachClaude(
  "settings that another tool left lead nowhere else",
  async (version) => {
    await using other = new OtherTool();
    await using stage = await ClientStage.open(QUIET, version);
    await stage.writeSettings({ env: { ANTHROPIC_BASE_URL: other.url } });
    const plain = await stage.run(["-p", "demo:say with the key"]);
    match(plain.stdout, /^with the key/, plain.stderr);
    await stage.writeSettings({
      env: {
        ANTHROPIC_BASE_URL: other.url,
        ANTHROPIC_AUTH_TOKEN: "somebody-elses",
        ANTHROPIC_CUSTOM_HEADERS: "x-team: from-settings",
      },
      apiKeyHelper: "echo sk-ant-api03-helper",
    });
    const run = await stage.run(["-p", "demo:say through tc"]);
    strictEqual(run.code, 0, run.stdout + run.stderr);
    match(run.stdout, /^through tc/);
    strictEqual(other.requests.length, 0);
    const headers = new Headers(
      stage.messages().at(-1)?.headers.map(([n, v]) => [n, v]),
    );
    strictEqual(headers.get("x-team"), "from-settings");
    match(headers.get("anthropic-beta") ?? "", /oauth-2025-04-20/);
    // The file that outranked them held the key: it is gone.
    const launches = join(stage.pool.paths.stateFolder, "launches");
    strictEqual((await Array.fromAsync(Deno.readDir(launches))).length, 0);

    const exports = await stage.pool.tc(["env"], stage.variables());
    match(exports.stderr, /settings\.json sets ANTHROPIC_BASE_URL/);
  },
);

testEachClaude(
  "no proxy variable leads loopback traffic through a proxy",
  async (version) => {
    await using other = new OtherTool();
    await using stage = await ClientStage.open(QUIET, version);
    const proxies = Object.fromEntries(
      ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"]
        .map((name) => [name, other.url]),
    );
    const run = await stage.run(["-p", "demo:say directly"], proxies);
    strictEqual(run.code, 0, run.stdout + run.stderr);
    match(run.stdout, /^directly/);
    for (const words of [["status"], ["explain"], ["accounts"], ["stop"]]) {
      const { code, stderr } = await stage.pool.tc(words, proxies);
      strictEqual(code, 0, `${words[0]}: ${stderr}`);
    }
    strictEqual(other.requests.length, 0, other.requests.join("\n"));
  },
);

if (hasTmux()) {
  testEachClaude("no screen of the client shows the key", async (version) => {
    await using stage = await ClientStage.open(QUIET, version);
    await stage.settleIn();
    await using tmux = await Tmux.open({
      columns: 120,
      rows: 40,
      variables: { ...stage.pool.variables, ...stage.variables() },
    });
    const words = [...tcCommand(), "run"].map((word) => `'${word}'`).join(" ");
    // A login shell of the system may have put its own PATH back.
    const path = `PATH='${stage.variables()["PATH"]}'`;
    await tmux.type(`cd '${stage.claude.project}' && ${path} ${words}`);
    await tmux.until(
      "prompt",
      (screen) =>
        /❯|> /.test(screen) && /\? for|shortcuts|Claude Code v/.test(screen),
    );
    await tmux.type("/status");
    const screen = await tmux.until("status", (seen) => /base URL/i.test(seen));
    match(screen, new RegExp(`http://127\\.0\\.0\\.1:${stage.pool.port}\\s`));
    ok(!screen.includes(await keyOf(stage)), screen);
    ok(!screen.includes("x-tc-key"), screen);
  });
}

if (hasTmux()) {
  testEachClaude(
    "the client says how tc resumes its session",
    async (version) => {
      await using stage = await ClientStage.open(QUIET, version);
      await stage.settleIn();
      await using tmux = await Tmux.open({
        columns: 120,
        rows: 40,
        variables: { ...stage.pool.variables, ...stage.variables() },
      });
      const words = [...tcCommand(), "run"].map((word) => `'${word}'`).join(
        " ",
      );
      const path = `PATH='${stage.variables()["PATH"]}'`;
      await tmux.type(`cd '${stage.claude.project}' && ${path} ${words}`);
      await tmux.until("prompt", (screen) => /Claude Code v/.test(screen));
      await tmux.type("demo:say hello there");
      await tmux.until("answer", (screen) => /● hello there/.test(screen));
      await tmux.type("/exit");
      const screen = await tmux.until(
        "hint",
        (seen) => /Resume this/.test(seen),
      );
      const session = stage.messages()[0]?.session;
      ok(screen.includes(`tc --resume ${session}`), screen);
      const again = await stage.pool.tc(
        ["--resume", String(session), "-p", "demo:say again"],
        stage.variables(),
        stage.claude.project,
      );
      match(again.stdout, /^again/, again.stderr);
      strictEqual(stage.messages().at(-1)?.session, session);
    },
  );
}

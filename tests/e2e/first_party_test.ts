/**
 * Through tc the real client sends what it sends to Anthropic's API directly:
 * requests differ in host and credential alone. Both ways end at a fake
 * api.anthropic.com with a certificate of the test's own.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { dirname } from "node:path";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import {
  claudeBinary,
  ClaudeHome,
  type ClaudeVersion,
  testEachClaude,
} from "../fixtures/claude_code.ts";
import { ProviderHosts } from "../fixtures/provider_hosts.ts";
import {
  type RecordedRequest,
  RecordingApi,
} from "../fixtures/recording_api.ts";
import { loginText } from "../fixtures/swap_kit.ts";
import { tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { hasOpenssl } from "../fixtures/test_certificates.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";

const SESSION = "00000000-0000-4000-8000-000000000001";

/**
 * Betas that the client keeps for a base URL on api.anthropic.com itself,
 * whatever it is told to assume (2.1.329 and 2.1.332).
 */
const HOST_BETAS = ["mid-conversation-system-clear-at-2026-08-21"];

/** It differs between two direct runs as well. */
const UNSTEADY_BETAS = ["thinking-display-updates-2026-08-18"];

/** Where the client sends its custom headers beside the base URL. */
const SHOWN_TO = "/api/claude_cli/bootstrap";

/** Headers with a new value in every request, or of the connection. */
const OWN_VALUE = [
  "authorization",
  "connection",
  "content-length",
  "x-claude-code-agent-id",
  "x-claude-code-prev-tool-durations",
  "x-claude-code-prompt-id",
  "x-client-request-id",
];

class Ways implements AsyncDisposable {
  readonly #api: ScriptedApi;
  readonly #recorder: RecordingApi;
  readonly #hosts: ProviderHosts;
  readonly #claude: ClaudeHome;
  readonly #pool: TcPool;
  readonly #binary: string;
  #identity = "";

  private constructor(parts: {
    readonly api: ScriptedApi;
    readonly recorder: RecordingApi;
    readonly hosts: ProviderHosts;
    readonly claude: ClaudeHome;
    readonly pool: TcPool;
    readonly binary: string;
  }) {
    this.#api = parts.api;
    this.#recorder = parts.recorder;
    this.#hosts = parts.hosts;
    this.#claude = parts.claude;
    this.#pool = parts.pool;
    this.#binary = parts.binary;
  }

  static async open(version: ClaudeVersion): Promise<Ways> {
    const api = await startScriptedApi();
    api.account("work", { tier: "max_20x" });
    const recorder = new RecordingApi(api);
    const ways = new Ways({
      api,
      recorder,
      hosts: await ProviderHosts.of(recorder),
      claude: await ClaudeHome.make(version),
      pool: await TcPool.of(api, {
        upstream: "https://api.anthropic.com",
        oauth: {},
        usage: { poll: false },
      }),
      binary: await claudeBinary(version),
    });
    await ways.#warmUp();
    return ways;
  }

  get folder(): string {
    return `${this.#claude.home}/.claude`;
  }

  get project(): string {
    return this.#claude.project;
  }

  /** The environment of the client, the same both ways. */
  get variables(): Readonly<Record<string, string>> {
    return {
      ...this.#hosts.variables,
      CLAUDE_CONFIG_DIR: this.folder,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      IS_SANDBOX: "1",
      PATH: `${dirname(this.#binary)}:${Deno.env.get("PATH")}`,
    };
  }

  get poolVariables(): Readonly<Record<string, string>> {
    return this.#pool.variables;
  }

  /** Starts both ways from one and the same folder. */
  async reset(settings: unknown = {}): Promise<void> {
    await Deno.remove(this.folder, { recursive: true }).catch(() => {});
    // A client that is just ending may write into it still.
    await Deno.mkdir(this.folder, { recursive: true });
    const write = (name: string, text: string) =>
      Deno.writeTextFile(`${this.folder}/${name}`, text, { mode: 0o600 });
    await write(".credentials.json", loginText(this.#api.account("work")));
    await write(".claude.json", this.#identity);
    await write("settings.json", JSON.stringify(settings));
    this.#recorder.takeMessages();
  }

  async directly(...words: readonly string[]): Promise<string> {
    const run = await this.#claude.run(words, this.variables);
    strictEqual(run.code, 0, run.stderr + run.stdout);
    return run.stdout;
  }

  async throughTc(...words: readonly string[]): Promise<string> {
    return await this.#through(words, this.variables);
  }

  /** The same with everything on that a client does beside its requests. */
  async throughTcWithAll(...words: readonly string[]): Promise<string> {
    const { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: _off, ...all } = this
      .variables;
    return await this.#through(words, all);
  }

  async #through(
    words: readonly string[],
    variables: Readonly<Record<string, string>>,
  ): Promise<string> {
    const run = await this.#pool.tc(
      ["run", "--", ...words],
      variables,
      this.project,
    );
    strictEqual(run.code, 0, run.stderr + run.stdout);
    return run.stdout;
  }

  /** Everything that came to the hosts of the provider, and forgets all. */
  requests(): readonly RecordedRequest[] {
    const { requests } = this.#recorder;
    this.#recorder.takeMessages();
    return requests;
  }

  messages(): readonly RecordedRequest[] {
    return this.#recorder.takeMessages();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
    await this.#claude[Symbol.asyncDispose]();
    await this.#hosts[Symbol.asyncDispose]();
    await this.#recorder[Symbol.asyncDispose]();
    await this.#api[Symbol.asyncDispose]();
  }

  /** The first run asks who is logged in; both ways begin with the answer. */
  async #warmUp(): Promise<void> {
    this.#identity = JSON.stringify({
      hasCompletedOnboarding: true,
      hasSeenAutoDefaultNudge: true,
      userID: "a".repeat(64),
      projects: { [this.project]: { hasTrustDialogAccepted: true } },
    });
    await this.reset();
    await this.directly("-p", "demo:say warm");
    await this.directly("-p", "demo:say warm");
    this.#identity = await Deno.readTextFile(`${this.folder}/.claude.json`);
  }
}

/** A request without what is new in each. */
function comparable({ target, headers, body }: RecordedRequest): unknown {
  const betas = (headers["anthropic-beta"] ?? "").split(",").filter((beta) =>
    !HOST_BETAS.includes(beta) && !UNSTEADY_BETAS.includes(beta)
  );
  const others = Object.entries(headers)
    .filter(([name]) => name !== "anthropic-beta")
    .map(([name, value]) => [name, OWN_VALUE.includes(name) ? "…" : value])
    // The connection is tc's own.
    .filter(([name]) => name !== "connection");
  const { thinking, messages, ...rest } = body ?? {};
  const { display: _unsteady, ...kept } = Object(thinking);
  const said = withoutAnswers(messages);
  return JSON.parse(
    JSON.stringify({ target, betas, others, rest, kept, said })
      .replaceAll(/cch=[0-9a-f]+/g, "cch=…")
      .replaceAll(/cc_prev_req=req_\w+/g, "cc_prev_req=…")
      .replaceAll(/\ba[0-9a-f]{16}\b/g, "agent…")
      .replaceAll(/duration_ms: \d+/g, "duration_ms: …")
      .replaceAll(/(?:msg|toolu|req)_\w+/g, "id…")
      .replaceAll(
        /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g,
        "uuid…",
      ),
  );
}

/** The messages without what the fake API made up: answers and summaries. */
function withoutAnswers(messages: unknown): unknown {
  return JSON.parse(
    JSON.stringify(messages),
    (_name, value) =>
      isAnswer(value)
        ? { ...value, content: blankTexts(value.content) }
        : isSummary(value)
        ? "a summary"
        : value,
  );
}

function isAnswer(value: unknown): value is { readonly content: unknown } {
  return Object(value).role === "assistant";
}

function isSummary(value: unknown): boolean {
  return typeof value === "string" &&
    value.startsWith("This session is being continued");
}

function blankTexts(content: unknown): unknown {
  return JSON.parse(
    JSON.stringify(content),
    (name, value) => name === "text" ? "an answer" : value,
  );
}

function betasOf({ headers }: RecordedRequest): readonly string[] {
  return (headers["anthropic-beta"] ?? "").split(",");
}

function assertSame(
  direct: readonly RecordedRequest[],
  through: readonly RecordedRequest[],
  what: string,
): void {
  strictEqual(through.length, direct.length, `${what}: number of requests`);
  for (const [index, request] of direct.entries()) {
    const other = through[index];
    ok(other !== undefined);
    deepStrictEqual(
      comparable(other),
      comparable(request),
      `${what}: request ${index + 1}`,
    );
    const missing = betasOf(request).filter((beta) =>
      !betasOf(other).includes(beta) && !UNSTEADY_BETAS.includes(beta)
    );
    ok(missing.every((beta) => HOST_BETAS.includes(beta)), missing.join());
  }
}

const AGENT = JSON.stringify({
  description: "d",
  prompt: "demo:say from the agent",
  subagent_type: "general-purpose",
  run_in_background: false,
});

const STREAM = ["--output-format", "stream-json", "--verbose"];
const RIGHTS = "--dangerously-skip-permissions";

/** The turns of one conversation, one process each. */
const TURNS: readonly (readonly string[])[] = [
  ["-p", "demo:say hi", "--session-id", SESSION, ...STREAM],
  ["-p", "demo:tool Bash echo tool-1", RIGHTS, "--continue"],
  ["-p", `demo:tool Agent ${AGENT}`, RIGHTS, "--continue"],
  ["-p", "/compact", "--continue"],
  ["-p", "demo:say four", "--continue"],
];

/** Model, context window and the like, as the client itself reports them. */
function modelFacts(stdout: string): unknown {
  const line = stdout.split("\n").find((one) =>
    one.includes('"type":"result"')
  );
  const { modelUsage } = JSON.parse(line ?? "{}");
  return Object.entries(modelUsage ?? {}).map(([model, usage]) => {
    const { contextWindow, maxOutputTokens, provider } = Object(usage);
    return { model, contextWindow, maxOutputTokens, provider };
  });
}

if (hasOpenssl()) {
  testEachClaude(
    "through tc the client sends what it sends to the API directly",
    async (version) => {
      await using ways = await Ways.open(version);
      const direct: (readonly RecordedRequest[])[] = [];
      let directFacts: unknown;
      await ways.reset();
      for (const words of TURNS) {
        const stdout = await ways.directly(...words);
        directFacts ??= modelFacts(stdout);
        direct.push(ways.messages());
      }
      await ways.reset();
      for (const [index, words] of TURNS.entries()) {
        const stdout = await ways.throughTc(...words);
        const through = ways.messages();
        assertSame(direct[index] ?? [], through, words.join(" "));
        if (index > 0) continue;
        deepStrictEqual(modelFacts(stdout), directFacts);
        match(stdout, /"contextWindow":1000000/);
      }
      const compaction = JSON.stringify(direct[3]?.map(({ body }) => body));
      match(compaction, /CRITICAL: Respond with TEXT ONLY/);
      strictEqual(direct[2]?.length, 3, "the sub-agent asked nothing");
    },
  );
}

if (hasOpenssl()) {
  testEachClaude(
    "with all its traffic on the client shows the key to one path of Anthropic's alone",
    async (version) => {
      await using ways = await Ways.open(version);
      await ways.reset();
      await ways.throughTcWithAll("-p", "demo:say hi");
      const shown = ways.requests().filter(({ headers }) =>
        "x-tc-key" in headers
      );
      ok(shown.length > 0, "nothing was asked beside the messages");
      ok(shown.every(({ target }) => target.startsWith(SHOWN_TO)));
    },
  );
}

/** The paths of all fields of a JSON value. */
function fieldsOf(value: unknown, path = ""): readonly string[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([name, inner]) =>
    fieldsOf(inner, `${path}.${name}`)
  );
}

/** What the status line was given after a turn in a terminal. */
async function statuslineFields(
  ways: Ways,
  program: readonly string[],
): Promise<readonly string[]> {
  const file = `${ways.folder}/statusline.json`;
  await ways.reset({
    permissions: { defaultMode: "default" },
    statusLine: {
      type: "command",
      command: `cat >'${file}.new' && mv '${file}.new' '${file}'`,
    },
  });
  await using tmux = await Tmux.open({
    columns: 120,
    rows: 40,
    variables: { ...ways.poolVariables, ...ways.variables },
  });
  const words = program.map((word) => `'${word}'`).join(" ");
  const path = `PATH='${ways.variables["PATH"]}'`;
  await tmux.type(`cd '${ways.project}' && ${path} ${words}`);
  await tmux.until("prompt", (screen) => /Claude Code v/.test(screen));
  await tmux.type("demo:say hi");
  let fields: readonly string[] = [];
  await tmux.until("status line", () => {
    try {
      const text = Deno.readTextFileSync(file);
      fields = fieldsOf(JSON.parse(text));
    } catch {
      // Not written yet.
    }
    return fields.some((field) => field.startsWith(".rate_limits.seven_day"));
  });
  return fields.toSorted();
}

if (hasOpenssl() && hasTmux()) {
  testEachClaude(
    "through tc the status line has the fields that it has directly",
    async (version) => {
      await using ways = await Ways.open(version);
      const direct = await statuslineFields(ways, ["claude"]);
      const through = await statuslineFields(ways, [...tcCommand(), "run"]);
      deepStrictEqual(through, direct);
    },
  );
}

/**
 * Secrets through every sink at debug level, failures included: what the
 * accounts' tokens are stands nowhere but in the sealed vault.
 */

import { RefreshToken } from "../../src/ports.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { CONTROL } from "../../src/control/protocol.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { instantFromMs } from "../../src/core/time.ts";
import type { Vault, VaultEntry } from "../../src/ports.ts";
import { filesBelow, findLeaks, formsOf } from "../fixtures/canary.ts";
import { Collector } from "../fixtures/collector.ts";
import { report } from "../fixtures/report.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const LABEL = "marker-account";
const KEY = "sk-ant-api03-CANARY7f3b9e1d5c8a2f6047KEY";
/** Stands in what a person asks: no sink has it, but for the provider. */
const PROMPT = "CANARYprompt1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d";
const PASTED = "CANARYcode0d9f8e7a6b5c4d3e2f1a0b9c8d7e6f5a4";

/** Every secret of the vault at this moment. */
async function secretsOf(vault: Vault): Promise<readonly string[]> {
  const { entries } = await vault.list();
  return entries.flatMap(({ credential }) =>
    credential.kind === "oauth"
      ? [
        credential.accessToken.reveal(),
        RefreshToken.toStore(credential.refreshToken),
      ]
      : [credential.token.reveal()]
  );
}

/** The account whose token has ended: its next request renews it. */
async function expire(vault: Vault, label: string): Promise<void> {
  const { entries } = await vault.list();
  const entry = entries.find((one) => one.label === label);
  if (entry?.credential.kind !== "oauth") throw new TypeError("No login");
  const ended: VaultEntry = {
    ...entry,
    credential: { ...entry.credential, expiresAt: instantFromMs(1_000) },
  };
  await vault.put(ended);
}

/** Notes what each command prints. */
class Sinks {
  readonly texts = new Map<string, string>();
  readonly #pool: TcPool;

  constructor(pool: TcPool) {
    this.#pool = pool;
  }

  put(name: string, text: string): void {
    this.texts.set(name, (this.texts.get(name) ?? "") + text);
  }

  async tc(args: readonly string[], input: string | null = null) {
    const child = this.#pool.command(args, {
      stdin: "piped",
      env: { TC_DEBUG: "1" },
    }).spawn();
    await this.#argumentsOf(child.pid, args);
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input ?? "")).catch(() => {});
    await writer.close().catch(() => {});
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    this.put(`stdout of ${args[0]}`, decoder.decode(stdout));
    this.put(`stderr of ${args[0]}`, decoder.decode(stderr));
    return { code, stdout: decoder.decode(stdout) };
  }

  async http(path: string, init: RequestInit = {}): Promise<number> {
    const response = await fetch(await this.#pool.baseUrl() + path, init);
    const headers = JSON.stringify([...response.headers]);
    this.put(`answer of ${path}`, headers + await response.text());
    return response.status;
  }

  async #argumentsOf(pid: number, args: readonly string[]): Promise<void> {
    if (Deno.build.os !== "linux") return;
    const read = (name: string) =>
      Deno.readTextFile(`/proc/${pid}/${name}`).catch(() => "");
    this.put("arguments of processes", args.join(" ") + await read("cmdline"));
    this.put("environment of processes", await read("environ"));
  }
}

function message(model: string): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model,
      max_tokens: 32,
      messages: [{ role: "user", content: `say hi ${PROMPT}` }],
    }),
  };
}

/** The refreshes, sign-ins and requests that go wrong, and those that do not. */
async function everything(
  api: ScriptedApi,
  pool: TcPool,
  sinks: Sinks,
): Promise<readonly string[]> {
  const vault = await pool.vault();
  const secrets = [...await secretsOf(vault)];
  strictEqual(
    await sinks.http("/v1/messages", message("claude-sonnet-5-5")),
    200,
  );

  // A renewal that works, then ones that fail in three ways.
  for (const fault of [null, "html", "garbled", "refused"] as const) {
    await expire(vault, LABEL);
    secrets.push(...await secretsOf(vault));
    await sinks.tc(["reload"]);
    for (let count = 0; count < 3 && fault !== null; count++) {
      const token = api.nextToken();
      if (fault === "html") token.html(200);
      else if (fault === "garbled") token.fields({ access_token: 5 });
      else token.status(500, { error: "server_error" });
    }
    await sinks.http("/v1/messages", message("claude-sonnet-5-5"));
    secrets.push(...await secretsOf(vault));
  }
  await sinks.http("/v1/messages", { method: "POST", body: "{" });
  await sinks.http("/v1/nothing");
  await sinks.tc(["api", "/v1/models", "--account", LABEL]);
  await sinks.tc(["api", "https://elsewhere.example.test/"]);

  // Keys by standard input, good and bad, and codes that buy nothing.
  await sinks.tc(["login", "--api", "--api-key-stdin", "--name", "k"], KEY);
  await sinks.tc(["login", "--api", "--api-key-stdin"], `${KEY} ${KEY}`);
  await sinks.tc(["login", "--no-browser"], `${PASTED}\n`);
  await sinks.tc(["login", "--no-browser"], `${PASTED}#wrong-state\n`);
  secrets.push(KEY, PASTED, ...await secretsOf(vault));
  for (const args of [[], ["status"], ["accounts", "-v"], ["capacity"]]) {
    await sinks.tc(args);
    await sinks.tc([...args, "--json"]);
  }
  await sinks.tc(["config", "show", "--origin"]);
  await sinks.tc(["import", "--dry-run", "--json"]);
  await sinks.tc(["remove", "nobody", "--yes"]);
  for (
    const path of [
      CONTROL.status,
      CONTROL.accounts,
      CONTROL.capacity,
      CONTROL.health,
      `${CONTROL.report}?by=project`,
      CONTROL.quota,
      CONTROL.simulate,
      CONTROL.explain,
      "/ui",
      "/metrics",
    ]
  ) await sinks.http(path);
  return secrets;
}

Deno.test("formsOf() finds a secret in each of its forms: the positive control", () => {
  const secret = "sk-ant-oat01-FAKE-positive-control-0123456789";
  for (const [form, text] of formsOf(secret)) {
    const sinks = new Map([["a sink", `before ${text} after`]]);
    ok(findLeaks([secret], sinks).some((leak) => leak.form === form), form);
  }
  const inside = btoa(`{"token":"${secret}"}`);
  ok(findLeaks([secret], new Map([["x", inside]])).length > 0);
  deepStrictEqual(
    findLeaks([secret], new Map([["x", "sk-ant-oat01-other"]])),
    [],
  );
});

Deno.test("no secret of an account is in any sink, and its name is in many", async () => {
  await using api = await startScriptedApi();
  api.account(LABEL);
  await using collector = new Collector();
  await using pool = await TcPool.of(api, {
    otel: { endpoint: collector.url, protocol: "http/json" },
    notify: { webhook: `${collector.url}/notices` },
    update: { check: true },
    routes: [{ project: "*", accounts: [LABEL, "nobody"] }],
  });
  // A release that was found makes a notice.
  await Deno.mkdir(pool.paths.stateFolder, { recursive: true });
  await Deno.writeTextFile(
    `${pool.paths.stateFolder}/update-check`,
    "99.0.0",
  );
  const sinks = new Sinks(pool);
  const log = pool.folder.join("server.txt");
  const server = pool.command(["server", "--log-file", log], {
    stdout: "null",
    stderr: "null",
    env: { TC_LOG_LEVEL: "debug", TC_DEBUG: "1" },
  }).spawn();
  try {
    for (let tries = 0; tries < 200; tries++) {
      if ((await pool.tc(["status"])).code === 0) break;
    }
    const stop = new AbortController();
    const events = fetch(await pool.baseUrl() + CONTROL.events, {
      signal: stop.signal,
    }).then((response) => listen(response, sinks)).catch(() => {});
    const secrets = await everything(api, pool, sinks);
    if (Deno.build.os === "linux") {
      for (const name of ["cmdline", "environ"]) {
        const text = await Deno.readTextFile(`/proc/${server.pid}/${name}`);
        sinks.put(`${name} of the server`, text);
      }
    }
    stop.abort();
    await events;
    const isTold = () =>
      collector.got.some(({ path, body }) =>
        path === "/notices" &&
        new TextDecoder().decode(body).includes("tc 99.0.0 is out")
      );
    for (let tries = 0; tries < 300 && !isTold(); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    ok(isTold(), "the notice of an update arrives");
    await pool.tc(["stop"]);
    await server.status;
    // The log, the config, the state, and whatever else it left behind.
    for (const [file, text] of await filesBelow(pool.folder.path)) {
      sinks.put(`file ${file.slice(pool.folder.path.length)}`, text);
    }
    for (const { path, headers, body } of collector.got) {
      const text = new TextDecoder().decode(body);
      sinks.put(`collector ${path}`, JSON.stringify([...headers]) + text);
    }
    for (const path of ["/v1/traces", "/v1/metrics"]) {
      const text = sinks.texts.get(`collector ${path}`) ?? "";
      ok(text.includes(LABEL), `${path} names the account`);
    }
    const unique = new Set([...secrets, PROMPT]);
    deepStrictEqual(findLeaks(unique, sinks.texts), []);
    const named = [...sinks.texts].filter(([, text]) => text.includes(LABEL));
    ok(named.length >= 5, String(named.map(([sink]) => sink)));
    const lines = await Deno.readTextFile(log);
    for (const word of [LABEL, "token_renewed", "token_not_renewed"]) {
      ok(lines.includes(word), `the log says nothing of ${word}`);
    }
    ok(sinks.texts.size >= 14);
    for (const sink of ["answer of /metrics", "answer of /ui"]) {
      ok(sinks.texts.has(sink), sink);
    }
    report(
      `${unique.size} secrets × ${
        formsOf(KEY).length
      } forms in ${sinks.texts.size} sinks: 0 leaks; the account's name in ${named.length}`,
    );
  } finally {
    try {
      server.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await server.status;
  }
});

async function listen(response: Response, sinks: Sinks): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    sinks.put("event stream", decoder.decode(chunk));
  }
}

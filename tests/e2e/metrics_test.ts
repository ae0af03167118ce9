/** `/metrics` of a real server, scraped by a real Prometheus where there is one. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { freePort } from "../fixtures/free_port.ts";
import { ROOT } from "../fixtures/paths.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const HAS_PROMETHEUS = await isThere("promtool") && await isThere("prometheus");

async function isThere(program: string): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

async function askOnce(baseUrl: string): Promise<void> {
  const response = await fetch(`${baseUrl}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 50,
      messages: [{ role: "user", content: "demo:say hi to canary-9471" }],
    }),
  });
  strictEqual(response.status, 200, await response.text());
}

/** Every metric of the text, by its name, without the parts of histograms. */
function namesIn(text: string): ReadonlySet<string> {
  return new Set(
    [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] ?? ""),
  );
}

Deno.test("/metrics needs the key, counts what was served, and tells nothing of a prompt", async () => {
  await using api = await startScriptedApi();
  for (const name of ["work", "home"]) api.account(name);
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  await pool.tc(["env", "--shell", "sh"]);
  const baseUrl = await pool.baseUrl();
  for (let n = 0; n < 3; n++) await askOnce(baseUrl);
  const plain = await fetch(`http://127.0.0.1:${pool.port}/metrics`);
  strictEqual(plain.status, 401, await plain.text());
  const foreign = await fetch(`${baseUrl}/metrics`, {
    headers: { origin: "http://evil.example" },
  });
  strictEqual(foreign.status, 403, await foreign.text());
  const scraped = await fetch(`${baseUrl}/metrics`);
  const text = await scraped.text();
  strictEqual(scraped.status, 200, text);
  ok(scraped.headers.get("content-type")?.startsWith("text/plain"));
  const served = text.split("\n").filter((line) =>
    line.startsWith("tc_requests_total") && line.includes('status="200"')
  ).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  strictEqual(served, 3, text);
  ok(!text.includes("canary-9471"), "no prompt");
  const key = baseUrl.slice(baseUrl.lastIndexOf("/") + 1);
  ok(!text.includes(key), "no key");
  await holdsDashboard(text);
  await holdsPage(text);
});

Deno.test({
  name: "a real Prometheus scrapes /metrics, and promtool finds no fault",
  ignore: !HAS_PROMETHEUS,
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    await pool.tc(["env", "--shell", "sh"]);
    const baseUrl = await pool.baseUrl();
    for (let n = 0; n < 3; n++) await askOnce(baseUrl);
    const scraped = await fetch(`${baseUrl}/metrics`);
    await isAcceptedByPromtool(await scraped.text());
    await isScraped(pool.port, baseUrl.slice(baseUrl.lastIndexOf("/") + 1));
  },
});

Deno.test("with metrics.keyless a local program reads /metrics, and nothing else, without the key", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, {
    usage: { poll: false },
    metrics: { keyless: true },
  });
  await pool.tc(["env", "--shell", "sh"]);
  const origin = `http://127.0.0.1:${pool.port}`;
  const status = async (
    path: string,
    init: RequestInit = {},
  ): Promise<number> => {
    const response = await fetch(origin + path, init);
    await response.body?.cancel();
    return response.status;
  };
  strictEqual(await status("/metrics"), 200);
  strictEqual(await status("/metrics", { method: "POST" }), 401);
  strictEqual(await status("/metrics?x=1"), 401);
  strictEqual(await status("/tc/v1/status"), 401);
  strictEqual(await status("/v1/models"), 401);
  const page = { headers: { origin: "http://evil.example" } };
  strictEqual(await status("/metrics", page), 403);
  const proxied = { headers: { "x-forwarded-for": "10.0.0.9" } };
  strictEqual(await status("/metrics", proxied), 401);
});

/** Every metric that docs/grafana.json asks for is there, or can be. */
async function holdsDashboard(text: string): Promise<void> {
  const dashboard = await Deno.readTextFile(`${ROOT}docs/grafana.json`);
  const asked = new Set(
    [...dashboard.matchAll(/\b(?:tc|process)_[a-z0-9_]+/g)].map(([name]) =>
      name.replace(/_(bucket|sum|count)$/, "")
    ),
  );
  const known = new Set([...namesIn(text), ...await namesOfPage()]);
  deepStrictEqual([...asked].filter((name) => !known.has(name)), []);
  ok(asked.size >= 12, `${asked.size} metrics`);
}

async function namesOfPage(): Promise<readonly string[]> {
  const page = await Deno.readTextFile(`${ROOT}docs/metrics.md`);
  return [...page.matchAll(/^\| `([a-z0-9_]+)`/gm)].map((m) => m[1] ?? "");
}

/** docs/metrics.md names every metric. */
async function holdsPage(text: string): Promise<void> {
  const page = new Set(await namesOfPage());
  deepStrictEqual([...namesIn(text)].filter((name) => !page.has(name)), []);
}

async function isAcceptedByPromtool(text: string): Promise<void> {
  const child = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  const said = decoder.decode(stdout) + decoder.decode(stderr);
  strictEqual(said, "", "promtool has nothing to say");
  strictEqual(code, 0);
}

/** A real Prometheus scrapes the server with the key, and answers a query. */
async function isScraped(port: number, key: string): Promise<void> {
  await using folder = new TempFolder();
  const own = freePort();
  await Deno.writeTextFile(folder.join("key"), key, { mode: 0o600 });
  await Deno.writeTextFile(
    folder.join("prometheus.yml"),
    `global: { scrape_interval: 1s }
scrape_configs:
  - job_name: tc
    authorization: { credentials_file: ${folder.join("key")} }
    static_configs: [{ targets: ["127.0.0.1:${port}"] }]
`,
  );
  const prometheus = new Deno.Command("prometheus", {
    args: [
      `--config.file=${folder.join("prometheus.yml")}`,
      `--storage.tsdb.path=${folder.join("data")}`,
      `--web.listen-address=127.0.0.1:${own}`,
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const query = encodeURIComponent("sum(tc_requests_total)");
    let found = "";
    for (let tries = 0; tries < 100 && found === ""; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      found = await fetch(
        `http://127.0.0.1:${own}/api/v1/query?query=${query}`,
      ).then(async (response) => {
        const { data } = await response.json();
        return data?.result?.[0]?.value?.[1] ?? "";
      }).catch(() => "");
    }
    strictEqual(found, "3");
  } finally {
    prometheus.kill("SIGTERM");
    await prometheus.status;
  }
}

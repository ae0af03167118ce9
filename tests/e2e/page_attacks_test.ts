/**
 * Requests as other sites and rebound names make them, each with the cookie and
 * the key of a page that was let in, which no browser would give them: none
 * reads or changes anything.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { CONTROL } from "../../src/control/protocol.ts";
import { ServedPool } from "../fixtures/served_pool.ts";
import { report } from "../fixtures/report.ts";

/** Names that a site could let point to this machine, and odd spellings. */
const HOSTS = [
  "evil.example",
  "evil.example:PORT",
  "127.0.0.1.evil.example:PORT",
  "localhost.evil.example:PORT",
  "0x7f000001.evil.example",
  "tc.local:PORT",
] as const;

const ORIGINS = [
  "http://evil.example",
  "https://evil.example",
  "null",
  "http://127.0.0.1:1",
  "http://localhost.evil.example:PORT",
  "file://",
  "http://127.0.0.1.evil.example",
] as const;

const SITES = ["cross-site", "same-site"] as const;

const TARGETS:
  readonly (readonly [method: string, path: string, body: string])[] = [
    ["GET", CONTROL.status, ""],
    ["GET", CONTROL.watch, ""],
    ["GET", CONTROL.accounts, ""],
    ["GET", `${CONTROL.report}?by=project`, ""],
    ["GET", CONTROL.quota, ""],
    ["GET", CONTROL.explain, ""],
    ["GET", CONTROL.simulate, ""],
    ["GET", CONTROL.metrics, ""],
    ["GET", "/ui", ""],
    ["GET", "/ui/page.js", ""],
    ["PUT", CONTROL.pin, '{"account":"work"}'],
    ["PUT", CONTROL.policy, '{"policy":"pace"}'],
    ["PATCH", `${CONTROL.accounts}/work`, '{"enabled":false}'],
    ["DELETE", `${CONTROL.accounts}/work`, '{"force":true}'],
    ["POST", CONTROL.simulate, "{}"],
    ["POST", CONTROL.link, "{}"],
    ["POST", CONTROL.stop, "{}"],
    ["POST", CONTROL.call, '{"path":"/v1/models"}'],
    ["POST", "/v1/messages", "{}"],
    ["GET", "/v1/models", ""],
  ];

interface Attempt {
  readonly name: string;
  readonly lines: readonly string[];
}

/** Every way from which another site could ask. */
function attempts(port: number): readonly Attempt[] {
  const own = `127.0.0.1:${port}`;
  const at = (text: string) => text.replace("PORT", String(port));
  return [
    ...HOSTS.map((host) => ({
      name: `Host ${host}`,
      lines: [`host: ${at(host)}`, `origin: http://${at(host)}`],
    })),
    ...ORIGINS.map((origin) => ({
      name: `Origin ${origin}`,
      lines: [`host: ${own}`, `origin: ${at(origin)}`],
    })),
    ...SITES.map((site) => ({
      name: `Sec-Fetch-Site ${site}`,
      lines: [`host: ${own}`, `sec-fetch-site: ${site}`],
    })),
  ];
}

async function statusOf(port: number, text: string): Promise<number> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    await connection.write(new TextEncoder().encode(text));
    const bytes = new Uint8Array(65_536);
    const count = await connection.read(bytes) ?? 0;
    const head = new TextDecoder().decode(bytes.subarray(0, count));
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  } finally {
    connection.close();
  }
}

Deno.test("300 cross-site and rebinding requests with a page's own rights read and change nothing", async () => {
  await using served = await ServedPool.open({ accounts: ["work", "home"] });
  const { pool } = served;
  const link = String((await pool.json(["ui"]))["url"]);
  const opened = await fetch(link, { redirect: "manual" });
  await opened.body?.cancel();
  const cookie = (opened.headers.get("set-cookie") ?? "").split(";", 1)[0];
  const key = (opened.headers.get("location") ?? "").split("#")[1];
  const rights = [`cookie: ${cookie}`, `x-tc-page: ${key}`];
  const before = await stateOf(served);
  let count = 0;
  for (const { name, lines } of attempts(pool.port)) {
    for (const [method, path, body] of TARGETS) {
      const text = [
        `${method} ${path} HTTP/1.1`,
        ...lines,
        ...rights,
        "content-type: application/json",
        `content-length: ${body.length}`,
        "connection: close",
        "",
        body,
      ].join("\r\n");
      const status = await statusOf(pool.port, text);
      ok(
        status === 401 || status === 403 || status === 421,
        `${name}, ${method} ${path}: ${status}`,
      );
      count += 1;
    }
  }
  strictEqual(count, 300);
  deepStrictEqual(await stateOf(served), before);
  // The same rights from the page itself read the status: the control.
  const own = await statusOf(
    pool.port,
    [
      `GET ${CONTROL.status} HTTP/1.1`,
      `host: 127.0.0.1:${pool.port}`,
      `origin: http://127.0.0.1:${pool.port}`,
      "sec-fetch-site: same-origin",
      ...rights,
      "connection: close",
      "",
      "",
    ].join("\r\n"),
  );
  strictEqual(own, 200);
  report(`${count} attempts: 0 answered`);
});

/** All that an attempt must not change. */
async function stateOf({ pool, api }: ServedPool): Promise<unknown> {
  const { server, accounts } = await pool.json(["status"]) as {
    server: Record<string, unknown>;
    accounts: { label: string; enabled: boolean; priority: number }[];
  };
  return {
    server: [server["pid"], server["pin"], server["policy"], server["state"]],
    accounts: accounts.map(({ label, enabled, priority }) => [
      label,
      enabled,
      priority,
    ]),
    sent: api.requests().length,
  };
}

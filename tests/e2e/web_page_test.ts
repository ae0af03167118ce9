/**
 * Pages of other origins in a real browser against a running tc (L6): nothing
 * readable, nothing changed, whether the page knows the key or none is asked
 * for. Ignored where there is no Chromium.
 */

import {
  deepStrictEqual,
  notDeepStrictEqual,
  ok,
  strictEqual,
} from "node:assert/strict";
import { CONTROL, type StatusView } from "../../src/control/protocol.ts";
import { Browser, findBrowser } from "../fixtures/browser.ts";
import { filesBelow } from "../fixtures/canary.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { ServedPool } from "../fixtures/served_pool.ts";
import {
  ATTACKS,
  attackScript,
  type Learned,
  markOf,
} from "../fixtures/web_attacks.ts";

const BROWSER = findBrowser();
/** What an attempt has set off is over by then. */
const SETTLE_MS = 1_000;
const EVIL = "evil.test";

/** The browser's own checks for private addresses are off: the door stands alone. */
const FLAGS = [
  `--host-resolver-rules=MAP ${EVIL} 127.0.0.1`,
  "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
  "--disable-popup-blocking",
];

/** A site with an empty page, and redirects to wherever a query says. */
function servePage(): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      const { pathname, search } = new URL(request.url);
      if (pathname !== "/to") {
        return new Response("<!doctype html><body>", {
          headers: { "content-type": "text/html" },
        });
      }
      const location = decodeURIComponent(search.slice(1));
      return new Response(null, { status: 307, headers: { location } });
    },
  );
}

/** A server that allows everything, and notes which attempts arrive. */
class Victim implements AsyncDisposable {
  readonly arrived = new Set<string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  #answer(request: Request): Response {
    const mark = markOf(request.url);
    if (mark !== null && request.method !== "OPTIONS") this.arrived.add(mark);
    if (request.headers.get("upgrade") === "websocket") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onopen = () => socket.close();
      return response;
    }
    const kinds: Readonly<Record<string, string>> = {
      script: "text/javascript",
      style: "text/css",
    };
    const kind = kinds[request.headers.get("sec-fetch-dest") ?? ""];
    const isStream = request.headers.get("accept") === "text/event-stream";
    return new Response(isStream ? "data: 1\n\n" : "/* seen */", {
      headers: {
        "content-type": isStream ? "text/event-stream" : kind ?? "text/plain",
        "access-control-allow-origin": request.headers.get("origin") ?? "*",
        "access-control-allow-credentials": "true",
        "access-control-allow-headers": "content-type, x-tc-session",
        "access-control-allow-methods": "PUT, PATCH, DELETE",
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}

/** All that a page must not change. */
async function stateOf({ api, pool, baseUrl }: ServedPool) {
  const answer = await fetch(baseUrl + CONTROL.status);
  const status: StatusView = await answer.json();
  const { pid, startedAt, state } = status.server;
  const files = await filesBelow(pool.folder.join(".config"));
  return {
    server: { pid, startedAt, state },
    pool: status.accounts.map(({ id, label, enabled, priority, inFlight }) => ({
      id,
      label,
      enabled,
      priority,
      inFlight,
    })),
    chosen: [status.server.policy, status.server.pin],
    work: [status.sessions, status.requests, status.notices],
    activity: status.activity,
    upstream: api.requests().map(({ method, target }) => `${method} ${target}`),
    files: [...files].toSorted(),
  };
}

async function run(
  page: { run(script: string): Promise<unknown> },
  base: string,
): Promise<readonly Learned[]> {
  const learned = await page.run(attackScript(base)) as readonly Learned[];
  deepStrictEqual(
    learned.map(({ name }) => name),
    ATTACKS.map(({ name }) => name),
  );
  return learned;
}

function told(learned: readonly Learned[]): readonly Learned[] {
  return learned.filter(({ what }) => what !== null);
}

Deno.test({
  name: "every attempt of the page arrives where all is allowed",
  ignore: BROWSER === null,
  fn: async () => {
    await using site = servePage();
    await using victim = new Victim();
    await using browser = await Browser.start(BROWSER ?? "", FLAGS);
    const page = await browser.open(`http://${EVIL}:${site.addr.port}/`);
    const learned = await run(page, victim.url);
    await settled();
    deepStrictEqual(
      [...victim.arrived].sort(),
      ATTACKS.map(({ name }) => name).sort(),
    );
    deepStrictEqual(
      told(learned).map(({ name }) => name),
      ATTACKS.filter(({ shows }) => shows).map(({ name }) => name),
    );
  },
});

Deno.test({
  name: "a page of another origin reads nothing and changes nothing",
  ignore: BROWSER === null,
  fn: async () => {
    await using site = servePage();
    await using served = await ServedPool.open({
      // The key would keep pages out as well: here the door is all there is.
      settings: { proxy: { keylessLoopback: true } },
    });
    await using browser = await Browser.start(BROWSER ?? "", FLAGS);
    const before = await stateOf(served);
    const { origin, baseUrl, pool } = served;
    const localhost = `http://localhost:${pool.port}`;
    const tried = [
      [EVIL, origin],
      [EVIL, baseUrl],
      ["127.0.0.1", baseUrl],
      ["127.0.0.1", localhost],
    ] as const;
    for (const [host, base] of tried) {
      const page = await browser.open(`http://${host}:${site.addr.port}/`);
      deepStrictEqual(told(await run(page, base)), [], `${host} at ${base}`);
    }
    await settled();
    deepStrictEqual(await stateOf(served), before);
  },
});

Deno.test({
  name: "a name that was rebound to this machine is refused",
  ignore: BROWSER === null,
  fn: async () => {
    await using served = await ServedPool.open({
      settings: { proxy: { keylessLoopback: true } },
    });
    await using browser = await Browser.start(BROWSER ?? "", FLAGS);
    const before = await stateOf(served);
    const rebound = `http://${EVIL}:${served.pool.port}`;
    const page = await browser.open(`${rebound}/`);
    strictEqual(await page.run("location.origin"), rebound);
    const { pathname } = new URL(served.baseUrl);
    for (const base of [rebound, rebound + pathname]) {
      // Of its own origin it reads whatever comes: that it is refused.
      for (const { name, what } of told(await run(page, base))) {
        ok(what?.includes("This host is not served here"), `${name}: ${what}`);
      }
    }
    await settled();
    deepStrictEqual(await stateOf(served), before);
  },
});

Deno.test({
  name: "a typed address that leads here by a redirect changes nothing",
  ignore: BROWSER === null,
  fn: async () => {
    await using site = servePage();
    await using served = await ServedPool.open({
      settings: { proxy: { keylessLoopback: true } },
    });
    await using browser = await Browser.start(BROWSER ?? "", FLAGS);
    const before = await stateOf(served);
    for (const path of ["/v1/models", "/v1/messages", CONTROL.stop]) {
      const target = encodeURIComponent(served.origin + path);
      const page = await browser.open(
        `http://${EVIL}:${site.addr.port}/to?${target}`,
      );
      strictEqual(await page.run("location.href"), served.origin + path);
    }
    await settled();
    deepStrictEqual(await stateOf(served), before);
  },
});

Deno.test("without the key no request of a browser reaches the API", async () => {
  await using served = await ServedPool.open({
    settings: { proxy: { keylessLoopback: true } },
  });
  const ask = async (base: string, site: string | null) => {
    const headers: HeadersInit = site === null
      ? {}
      : { "sec-fetch-site": site };
    const answer = await fetch(`${base}/v1/models`, { headers });
    await answer.body?.cancel();
    return answer.status;
  };
  strictEqual(await ask(served.origin, "none"), 403);
  strictEqual(await ask(served.origin, "same-origin"), 403);
  strictEqual(served.api.requests().length, 0);
  strictEqual(await ask(served.origin, null), 200);
  strictEqual(await ask(served.baseUrl, "none"), 200);
});

/** What the pages tried, as a program does it. */
const CALLS:
  readonly (readonly [method: string, path: string, body: unknown])[] = [
    ["GET", CONTROL.status, null],
    ["GET", CONTROL.watch, null],
    ["GET", "/v1/models", null],
    ["POST", "/v1/messages", JSON.parse(messageBody())],
    ["POST", CONTROL.call, { method: "GET", path: "/v1/models" }],
    ["POST", CONTROL.hook, { hook: "SessionStart" }],
    ["POST", CONTROL.reload, {}],
    ["PUT", CONTROL.pin, { account: "work" }],
    ["PUT", CONTROL.policy, { policy: "balance" }],
    ["PATCH", `${CONTROL.accounts}/work`, { enabled: false, name: "taken" }],
    ["DELETE", `${CONTROL.accounts}/home`, { force: true }],
    ["POST", CONTROL.stop, {}],
  ];

Deno.test("the same calls of a program with the key do their work", async () => {
  await using served = await ServedPool.open();
  const before = await stateOf(served);
  for (const [method, path, body] of CALLS) {
    if (path === CONTROL.stop) {
      const after = await stateOf(served);
      for (
        const part of [
          "pool",
          "chosen",
          "activity",
          "upstream",
          "files",
        ] as const
      ) {
        notDeepStrictEqual(after[part], before[part], part);
      }
    }
    const answer = await fetch(served.baseUrl + path, {
      method,
      headers: { "content-type": "application/json" },
      body: body === null ? null : JSON.stringify(body),
    });
    strictEqual(answer.status, 200, `${method} ${path}`);
    await answer.body?.cancel();
  }
});

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import type { AccountId } from "../../src/core/account.ts";
import {
  type Authorization,
  type HeaderList,
  Secret,
} from "../../src/ports.ts";
import {
  isWebSocketUpgrade,
  OAUTH_BETA,
  passthroughHeaders,
  requestHeaders,
  responseHeaders,
} from "../../src/wire/headers.ts";
import { trials } from "../fixtures/trials.ts";
import { CLIENT_MESSAGE } from "./captured.ts";

const TOKEN = "sk-ant-oat01-FAKE-account";

function authorization(
  scheme: Authorization["scheme"],
  token = TOKEN,
): Authorization {
  return {
    accountId: "work" as AccountId,
    scheme,
    token: new Secret(token),
    origin: null,
    modelMap: null,
  };
}

const OAUTH = authorization("oauth");
const API_KEY = authorization("api_key");
const BEARER = authorization("bearer");

function names(headers: HeaderList): string[] {
  return headers.map(([name]) => name.toLowerCase());
}

function valuesOf(headers: HeaderList, name: string): string[] {
  return headers.filter(([n]) => n.toLowerCase() === name).map(([, v]) => v);
}

function cases(name: string): string[] {
  const title = name.replace(/(^|-)([a-z])/g, (text) => text.toUpperCase());
  return [name, name.toUpperCase(), title];
}

Deno.test("requestHeaders() sends Claude Code's own lines with another credential", () => {
  const sent = requestHeaders(CLIENT_MESSAGE, OAUTH);
  const written = ["connection", "host", "content-length"];
  const expected = CLIENT_MESSAGE
    .filter(([name]) => !written.includes(name.toLowerCase()))
    .map(([name, value]): readonly [string, string] => {
      if (name === "x-api-key") return ["Authorization", `Bearer ${TOKEN}`];
      if (name === "anthropic-beta") return [name, `${OAUTH_BETA},${value}`];
      return [name, value];
    });
  deepStrictEqual(sent, expected);
});

Deno.test("requestHeaders() sends an API key as x-api-key and a bearer as bearer", () => {
  const byKey = requestHeaders(CLIENT_MESSAGE, API_KEY);
  deepStrictEqual(valuesOf(byKey, "x-api-key"), [TOKEN]);
  deepStrictEqual(valuesOf(byKey, "authorization"), []);
  const byBearer = requestHeaders(CLIENT_MESSAGE, BEARER);
  deepStrictEqual(valuesOf(byBearer, "authorization"), [`Bearer ${TOKEN}`]);
  deepStrictEqual(valuesOf(byBearer, "x-api-key"), []);
  const beta = valuesOf(CLIENT_MESSAGE, "anthropic-beta");
  deepStrictEqual(valuesOf(byKey, "anthropic-beta"), beta);
  deepStrictEqual(valuesOf(byBearer, "anthropic-beta"), beta);
});

const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
];
const WRITTEN_BY_POOL = ["host", "content-length", "expect"];
const OWN = [
  "x-tc-session",
  "x-tc-anything",
  "x-maxpool-session",
  "x-maxpool-account",
  "x-teamclaude-session",
  "x-teamclaude-key",
];

Deno.test("requestHeaders() removes every line that is only for tc, in any case", () => {
  const kept: HeaderList = [["accept", "*/*"], ["x-app", "cli"]];
  let tried = 0;
  for (const name of [...HOP_BY_HOP, ...WRITTEN_BY_POOL, ...OWN]) {
    for (const written of cases(name)) {
      for (const value of ["x", "sk-ant-FAKE, y", "\xff\x80 8-bit"]) {
        const inbound: HeaderList = [
          ["accept", "*/*"],
          [written, value],
          ["x-app", "cli"],
          [written, "again"],
        ];
        const sent = requestHeaders(inbound, API_KEY);
        deepStrictEqual(sent, [...kept, ["x-api-key", TOKEN]], written);
        deepStrictEqual(passthroughHeaders(inbound), kept, written);
        tried++;
      }
    }
  }
  ok(tried >= 120, `${tried} tried`);
});

Deno.test("requestHeaders() never sends a client credential beside the account's", () => {
  const credentials: HeaderList = [
    ["Authorization", "Bearer sk-ant-oat01-FAKE-client"],
    ["authorization", "Basic RkFLRS1jbGllbnQ="],
    ["AUTHORIZATION", "Bearer sk-ant-FAKE-client-2"],
    ["x-api-key", "sk-ant-api03-FAKE-client"],
    ["X-Api-Key", "tc-FAKE-local"],
    ["Cookie", "session=FAKE-client"],
    ["cookie", "FAKE-client"],
    ["Proxy-Authorization", "Basic FAKE-client"],
  ];
  for (const first of credentials) {
    for (const second of credentials) {
      for (const account of [OAUTH, API_KEY, BEARER]) {
        const sent = requestHeaders(
          [first, ["x-app", "cli"], second, [
            "anthropic-version",
            "2023-06-01",
          ]],
          account,
        );
        ok(!JSON.stringify(sent).includes("client"));
        ok(!JSON.stringify(sent).includes("local"));
        const shown = names(sent).filter((name) =>
          ["authorization", "x-api-key", "cookie"].includes(name)
        );
        strictEqual(shown.length, 1);
      }
    }
  }
});

Deno.test("requestHeaders() puts the credential where the client's first one stood", () => {
  deepStrictEqual(
    requestHeaders([
      ["accept", "a"],
      ["cookie", "c"],
      ["Authorization", "Bearer FAKE"],
      ["x-app", "cli"],
      ["x-api-key", "FAKE"],
    ], API_KEY),
    [["accept", "a"], ["x-api-key", TOKEN], ["x-app", "cli"]],
  );
});

Deno.test("requestHeaders() drops what Connection names, but no content line", () => {
  const inbound: HeaderList = [
    ["Connection", "close, X-Secret-Hop"],
    ["connection", " anthropic-Foo ,content-encoding,content-type"],
    ["x-secret-hop", "1"],
    ["Anthropic-Foo", "2"],
    ["content-encoding", "gzip"],
    ["content-type", "application/json"],
  ];
  const kept: HeaderList = [
    ["content-encoding", "gzip"],
    ["content-type", "application/json"],
  ];
  deepStrictEqual(passthroughHeaders(inbound), kept);
  deepStrictEqual(responseHeaders(inbound), kept);
  deepStrictEqual(requestHeaders(inbound, API_KEY), [
    ...kept,
    ["x-api-key", TOKEN],
  ]);
});

Deno.test("requestHeaders() keeps lines about the way of a request", () => {
  const inbound: HeaderList = [
    ["X-Forwarded-For", "10.0.0.7"],
    ["Forwarded", "for=10.0.0.7"],
    ["Via", "1.1 caddy"],
    ["Origin", "null"],
    ["accept-encoding", ""],
    ["x-odd", "\xe9\xff"],
  ];
  deepStrictEqual(requestHeaders(inbound, API_KEY), [
    ...inbound,
    ["x-api-key", TOKEN],
  ]);
});

Deno.test("requestHeaders() adds the OAuth beta for an OAuth account only", async (t) => {
  const B = OAUTH_BETA;
  const rows: [beta: string[], oauth: string[], others: string[]][] = [
    [[], [B], []],
    [["a"], [`${B},a`], ["a"]],
    [["a,b , c"], [`${B},a,b , c`], ["a,b , c"]],
    [[`a,${B}`], [`a,${B}`], ["a"]],
    [[`a, ${B}, b`], [`a, ${B}, b`], ["a, b"]],
    [[`${B}, a`], [`${B}, a`], ["a"]],
    [[B], [B], []],
    [["a", B], ["a", B], ["a"]],
    [["a", "b"], [`${B},a`, "b"], ["a", "b"]],
    [[""], [B], [""]],
    [[`${B}-x`], [`${B},${B}-x`], [`${B}-x`]],
    [[B.toUpperCase()], [B.toUpperCase()], []],
  ];
  for (const [given, oauth, others] of rows) {
    await t.step(JSON.stringify(given), () => {
      const inbound = given.map((value) => ["Anthropic-Beta", value] as const);
      const beta = (account: Authorization) =>
        valuesOf(requestHeaders(inbound, account), "anthropic-beta");
      deepStrictEqual(beta(OAUTH), oauth);
      deepStrictEqual(beta(API_KEY), others);
      deepStrictEqual(beta(BEARER), others);
    });
  }
});

Deno.test("requestHeaders() never sends a line that holds the local key", () => {
  const key = new Secret("tc-FAKE-local-key");
  const inbound: HeaderList = [
    ["referer", "http://127.0.0.1:3456/k/tc-FAKE-local-key/ui"],
    ["x-other", "tc-FAKE-local-key"],
    ["x-app", "cli"],
  ];
  deepStrictEqual(requestHeaders(inbound, API_KEY, key), [
    ["x-app", "cli"],
    ["x-api-key", TOKEN],
  ]);
  deepStrictEqual(passthroughHeaders(inbound, key), [["x-app", "cli"]]);
  strictEqual(passthroughHeaders(inbound, new Secret("")).length, 3);
});

Deno.test("requestHeaders() refuses a credential that would break the head", () => {
  for (
    const token of ["", "sk-FAKE\r\nx: y", "sk FAKE", "sk-FAKE\u00e9", "\0"]
  ) {
    throws(
      () => requestHeaders([], authorization("oauth", token)),
      (error: Error) => {
        ok(error.message.startsWith("Cannot use the credential of work:"));
        ok(token === "" || !error.message.includes(token));
        return true;
      },
    );
  }
});

const headerName = fc.constantFrom(
  ...HOP_BY_HOP,
  ...WRITTEN_BY_POOL,
  ...OWN,
  "authorization",
  "x-api-key",
  "cookie",
  "Anthropic-Beta",
  "anthropic-version",
  "x-claude-code-session-id",
  "accept-encoding",
  "content-type",
  "x-forwarded-for",
  "x-odd",
);
const headerText = fc.oneof(
  fc.constantFrom("close", "x-odd", "keep-alive, X-App", OAUTH_BETA, ""),
  fc.string({ maxLength: 12 }),
);
const headerList = fc.array(fc.tuple(headerName, headerText), {
  maxLength: 12,
});

Deno.test("requestHeaders() keeps, removes and orders lines as its rules say", () => {
  fc.assert(
    fc.property(headerList, fc.constantFrom(OAUTH, API_KEY), (inbound, who) => {
      const sent = requestHeaders(inbound, who);
      const sentNames = names(sent);
      for (
        const name of [...HOP_BY_HOP, ...WRITTEN_BY_POOL, ...OWN, "cookie"]
      ) {
        ok(!sentNames.includes(name), name);
      }
      const shown = who.scheme === "api_key" ? "x-api-key" : "authorization";
      const hidden = who.scheme === "api_key" ? "authorization" : "x-api-key";
      strictEqual(sentNames.filter((name) => name === shown).length, 1);
      ok(!sentNames.includes(hidden));
      const betas = valuesOf(sent, "anthropic-beta").join(",").split(",")
        .map((beta) => beta.trim());
      strictEqual(betas.includes(OAUTH_BETA), who.scheme === "oauth");
      // Everything else is a line of the client's, untouched and in order.
      let from = 0;
      for (const line of sent) {
        const lower = line[0].toLowerCase();
        if (lower === shown || lower === "anthropic-beta") continue;
        const at = inbound.findIndex(([name, value], index) =>
          index >= from && name === line[0] && value === line[1]
        );
        ok(at >= 0, `${line[0]} is not the client's`);
        from = at + 1;
      }
    }),
    { numRuns: trials(2_000, 50_000) },
  );
});

Deno.test("passthroughHeaders() keeps the client's own credential", () => {
  deepStrictEqual(
    passthroughHeaders([
      ["Host", "127.0.0.1"],
      ["Authorization", "Bearer sk-ant-oat01-FAKE"],
      ["x-api-key", "sk-ant-api03-FAKE"],
      ["cookie", "a=b"],
      ["proxy-authorization", "Basic FAKE"],
      ["content-length", "3"],
      ["anthropic-beta", "x"],
    ]),
    [
      ["Authorization", "Bearer sk-ant-oat01-FAKE"],
      ["x-api-key", "sk-ant-api03-FAKE"],
      ["cookie", "a=b"],
      ["anthropic-beta", "x"],
    ],
  );
});

Deno.test("responseHeaders() keeps coding and length of the body", () => {
  deepStrictEqual(
    responseHeaders([
      ["Content-Encoding", "zstd"],
      ["Content-Length", "12"],
      ["Transfer-Encoding", "chunked"],
      ["Connection", "keep-alive, X-Hop"],
      ["Keep-Alive", "timeout=5"],
      ["X-Hop", "1"],
      ["Proxy-Authenticate", "Basic"],
      ["Trailer", "x-sum"],
      ["Set-Cookie", "a=b"],
      ["set-cookie", "c=d"],
      ["anthropic-ratelimit-unified-status", "allowed"],
      ["request-id", "req_FAKE"],
    ]),
    [
      ["Content-Encoding", "zstd"],
      ["Content-Length", "12"],
      ["Set-Cookie", "a=b"],
      ["set-cookie", "c=d"],
      ["anthropic-ratelimit-unified-status", "allowed"],
      ["request-id", "req_FAKE"],
    ],
  );
});

Deno.test("isWebSocketUpgrade() sees the upgrade in any case", () => {
  ok(isWebSocketUpgrade([["Upgrade", "WebSocket"]]));
  ok(isWebSocketUpgrade([["upgrade", "h2c, websocket/13"]]));
  ok(!isWebSocketUpgrade([["upgrade", "h2c"]]));
  ok(!isWebSocketUpgrade([["x-upgrade", "websocket"]]));
  ok(!isWebSocketUpgrade([]));
});

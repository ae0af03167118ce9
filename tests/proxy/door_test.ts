import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { PageSessions } from "../../src/server/page_sessions.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { Secret } from "../../src/ports.ts";
import {
  type Admission,
  admit,
  type Door,
  DoorKey,
} from "../../src/proxy/door.ts";

const KEY = "the-local-key-0123456789";
const DOOR: Door = {
  host: "127.0.0.1",
  port: 3456,
  key: new DoorKey(new Secret(KEY)),
  isKeylessLoopback: false,
  pages: new PageSessions(realClock),
  keylessPaths: [],
  hosts: [],
  origins: [],
};

interface Knock {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly isLocal?: boolean;
  readonly door?: Partial<Door>;
}

function knock(
  { method = "POST", url, headers = {}, isLocal = true, door = {} }: Knock,
): Admission {
  const visitor = {
    method,
    url: url ?? "http://127.0.0.1:3456/v1/messages",
    headers: new Headers({ host: "127.0.0.1:3456", ...headers }),
    isLocal,
  };
  return admit(visitor, { ...DOOR, ...door });
}

/** The status of a refusal, or null when the visitor is let in. */
function refusal(knocked: Knock): number | null {
  const admission = knock(knocked);
  return admission.kind === "refused" ? admission.status : null;
}

Deno.test("admit() accepts the key in four places and says which", () => {
  const target = "/v1/messages?beta=true";
  const url = `http://127.0.0.1:3456${target}`;
  deepStrictEqual(knock({ url, headers: { "x-api-key": KEY } }), {
    kind: "admitted",
    target,
    keyHeaders: ["x-api-key"],
    hasKey: true,
    origin: null,
    isGuest: false,
  });
  deepStrictEqual(knock({ url, headers: { authorization: `Bearer ${KEY}` } }), {
    kind: "admitted",
    target,
    keyHeaders: ["authorization"],
    hasKey: true,
    origin: null,
    isGuest: false,
  });
  deepStrictEqual(
    knock({
      url,
      headers: { "X-Tc-Key": KEY, authorization: "Bearer sk-ant-oat01-FAKE" },
    }),
    {
      kind: "admitted",
      target,
      keyHeaders: ["x-tc-key"],
      hasKey: true,
      origin: null,
      isGuest: false,
    },
  );
  const inPath = `http://127.0.0.1:3456/k/${KEY}${target}`;
  const own = { authorization: "Bearer sk-ant-oat01-FAKE" };
  deepStrictEqual(knock({ url: inPath, headers: own }), {
    kind: "admitted",
    target,
    keyHeaders: [],
    hasKey: true,
    origin: null,
    isGuest: false,
  });
});

Deno.test("admit() refuses every other key with 401", () => {
  const wrong = [
    {},
    { "x-api-key": "" },
    { "x-api-key": KEY.slice(1) },
    { "x-api-key": `${KEY}x` },
    { "x-api-key": KEY.toUpperCase() },
    { authorization: KEY },
    { authorization: `Basic ${KEY}` },
    { "x-tc-key": `${KEY}x` },
    { cookie: `key=${KEY}` },
  ];
  for (const headers of wrong) {
    strictEqual(refusal({ headers: headers as Record<string, string> }), 401);
  }
  for (
    const path of ["/k/wrong/v1/messages", `/k/${KEY}x/v1`, "/k//v1", "/k"]
  ) {
    const url = `http://127.0.0.1:3456${path}`;
    strictEqual(refusal({ url }), 401, path);
    // A wrong key in the path is not made good by a right one beside it.
    strictEqual(refusal({ url, headers: { "x-api-key": KEY } }), 401, path);
  }
});

Deno.test("admit() judges host and page before the key", () => {
  const headers = { "x-api-key": "wrong" };
  strictEqual(refusal({ headers: { ...headers, host: "evil.example" } }), 421);
  const evil = { ...headers, origin: "http://evil.example" };
  strictEqual(refusal({ headers: evil }), 403);
});

Deno.test("admit() serves loopback names only at its own port", () => {
  const key = { "x-api-key": KEY };
  const own = [
    "127.0.0.1:3456",
    "127.0.0.1",
    "localhost:3456",
    "LocalHost",
    "[::1]:3456",
    "[::1]",
  ];
  for (const host of own) {
    strictEqual(refusal({ headers: { ...key, host } }), null, host);
  }
  const other = [
    "127.0.0.1:3457",
    "localhost:80",
    "localhost.",
    "127.0.0.2",
    "127.1",
    "0.0.0.0:3456",
    "[::]:3456",
    "::1",
    "evil.example:3456",
    "127.0.0.1:3456@evil.example",
  ];
  for (const host of other) {
    strictEqual(refusal({ headers: { ...key, host } }), 421, host);
  }
  const url = "http://evil.example/v1/messages";
  strictEqual(refusal({ url, headers: key }), 421, "absolute form");
});

Deno.test("admit() serves the address it was told to listen on", () => {
  const headers = { "x-api-key": KEY, host: "10.0.0.7:3456" };
  const url = "http://10.0.0.7:3456/v1/messages";
  const door = { host: "10.0.0.7" };
  strictEqual(refusal({ url, headers, door }), null);
  strictEqual(refusal({ url, headers }), 421);
});

Deno.test("admit() refuses what a web page sends", () => {
  const key = { "x-api-key": KEY };
  for (const site of ["cross-site", "same-site", "", "x"]) {
    const headers = { ...key, "sec-fetch-site": site };
    strictEqual(refusal({ headers }), 403, site);
  }
  for (const site of ["none", "same-origin"]) {
    const headers = { ...key, "sec-fetch-site": site };
    strictEqual(refusal({ headers }), null, site);
  }
  for (
    const origin of ["null", "http://evil.example", "https://127.0.0.1:3456"]
  ) {
    strictEqual(refusal({ headers: { ...key, origin } }), 403, origin);
  }
  const origin = "http://127.0.0.1:3456";
  strictEqual(refusal({ headers: { ...key, origin } }), null);
});

Deno.test("admit() lets local clients in without a key when asked to", () => {
  const door = { isKeylessLoopback: true };
  strictEqual(refusal({ door }), null);
  const admission = knock({ door });
  ok(admission.kind === "admitted" && !admission.hasKey);
  strictEqual(refusal({ door, isLocal: false }), 401);
  for (const name of ["x-forwarded-for", "forwarded", "via", "x-real-ip"]) {
    const headers = { [name]: "127.0.0.1" };
    strictEqual(refusal({ door, headers }), 401, name);
  }
  const url = "http://127.0.0.1:3456/k/wrong/v1/messages";
  strictEqual(refusal({ door, url }), 401, "a wrong key is no missing key");
});

Deno.test("admit() refuses tunnels, echoes and dot segments", () => {
  const headers = { "x-api-key": KEY };
  for (const method of ["CONNECT", "TRACE", "TRACK"]) {
    strictEqual(refusal({ method, headers }), 405, method);
  }
  const url = "http://127.0.0.1:3456/v1/..";
  strictEqual(refusal({ url, headers }), 400);
});

Deno.test("admit() lets anyone on this host ask for a proof, and nothing else", () => {
  const nonce = "n".repeat(32);
  const url = `http://127.0.0.1:3456/tc/v1/proof?nonce=${nonce}`;
  deepStrictEqual(knock({ method: "GET", url }), { kind: "challenged", nonce });
  strictEqual(refusal({ method: "POST", url }), 401);
  strictEqual(refusal({ method: "GET", url: `${url}&x=1` }), 401);
  strictEqual(refusal({ method: "GET", url: url.slice(0, -20) }), 401);
  const page = { origin: "http://evil.example" };
  strictEqual(refusal({ method: "GET", url, headers: page }), 403);
  const rebound = { host: "evil.example:3456" };
  strictEqual(refusal({ method: "GET", url, headers: rebound }), 421);
});

Deno.test("admit() refuses a target that would carry the key to the upstream", () => {
  const headers = { "x-tc-key": KEY };
  const hex = (text: string, mark: string) =>
    [...text].map((one) => mark + one.charCodeAt(0).toString(16)).join("");
  const targets = [
    `/v1/messages?key=${KEY}`,
    `/v1/${KEY}/messages`,
    `/v1/messages?a=1&b=x${KEY}y`,
    `/v1/messages?key=${hex(KEY, "%")}`,
    `/v1/messages?key=${hex(KEY, "%25")}`,
    `/v1/messages?key=${KEY.replace("o", "%6F")}`,
  ];
  for (const target of targets) {
    const url = `http://127.0.0.1:3456${target}`;
    strictEqual(refusal({ url, headers }), 400, target);
    strictEqual(
      refusal({ url: `http://127.0.0.1:3456/k/${KEY}${target}` }),
      400,
    );
    // Nobody learns from the refusal whether a guess was right.
    strictEqual(refusal({ url }), 401, target);
  }
  const near = `http://127.0.0.1:3456/v1/messages?key=${KEY.slice(1)}`;
  strictEqual(refusal({ url: near, headers }), null);
});

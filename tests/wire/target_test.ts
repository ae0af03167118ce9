import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import {
  isHoldTarget,
  isNoiseTarget,
  isOwnCredentialTarget,
  isTokenTarget,
  splitKey,
  targetFault,
} from "../../src/wire/request/target.ts";
import { trials } from "../fixtures/trials.ts";

const DOTS = [".", "%2e", "%2E", "%252e", "%25252E", "%ef%bc%8e", "%c0%ae"];
const SLASHES = ["/", "\\", "%2f", "%2F", "%5c", "%5C", "%252f", "%255c"];
const PREFIXES = ["", "/v1", "/v1/code", "/v1/messages"];

/** Every way to write "go up" or "go to another host" that we know of (P7). */
function* hostileTargets(): Generator<string> {
  for (const dot of DOTS) {
    for (const slash of SLASHES) {
      for (const prefix of PREFIXES) {
        yield `${prefix}/${dot}${dot}${slash}v1/messages`;
      }
      yield `/v1/messages${slash}${dot}`;
      yield `/v1/messages${slash}${dot}${dot}?beta=true`;
    }
    yield `/.${dot}/v1/messages`;
    yield `/${dot}./v1/messages`;
    yield `/${dot}/`;
  }
  for (const host of ["evil.example", "127.0.0.1:3456", "[::1]", "a@b"]) {
    yield `//${host}/v1/messages`;
    yield `/\\${host}/v1/messages`;
    yield `\\\\${host}/v1/messages`;
    yield `http://${host}/v1/messages`;
    yield `HTTPS://${host}/v1/messages`;
    yield `${host}:443`;
    yield `@${host}/v1/messages`;
    yield `///${host}/`;
    yield `/%2f${host}/`;
    yield `/%5c${host}/`;
  }
  for (let code = 0; code < 0x20; code++) {
    const hex = code.toString(16).padStart(2, "0");
    yield `/v1/messages${String.fromCharCode(code)}x`;
    yield `/v1/messages?a=${String.fromCharCode(code)}`;
    yield `/v1/messages%${hex}x`;
    yield `/v1/messages%25${hex}x`;
  }
  yield* [
    "",
    "*",
    "v1/messages",
    "?beta=true",
    "#x",
    "/v1/messages#x",
    "/v1/messages?a#x",
    "/v1/messages x",
    "/v1/\u3002\u3002/x",
    "/v1/\uff0e\uff0e/x",
    "/v1/%e3%80%82%e3%80%82/x",
    "/v1/%e2%80%a4/x",
    "/v1/%EF%BD%A1/x",
    "/v1/x%ef%bc%8fy",
    "/v1/x%ef%bc%bcy",
    "/v1/messages\x7f",
    "/v1/messages%7f",
    "/v1/messages%",
    "/v1/messages%2",
    "/v1/messages%zz",
    "/v1/messages%u002e",
    "/v1/..;/code",
    "/v1/.;x=1/code",
    "/v1/%c0%af",
    "/v1/%c1%9c",
    "file:///etc/passwd",
    "data:,x",
    "javascript:alert(1)",
  ];
}

Deno.test("targetFault() refuses every hostile target", () => {
  const targets = [...hostileTargets()];
  ok(new Set(targets).size >= 400, `${new Set(targets).size} targets`);
  for (const target of targets) {
    ok(targetFault(target) !== null, JSON.stringify(target));
  }
});

Deno.test("targetFault() names what is wrong", () => {
  strictEqual(targetFault("http://x/v1"), "the target is not a path");
  strictEqual(targetFault("//x/v1"), "the target names another host");
  strictEqual(targetFault("/v1/../x"), "the path has a dot segment");
  strictEqual(targetFault("/v1/%2e%2e/x"), "the path has an encoded dot");
  strictEqual(targetFault("/v1/%2Fx"), "the path has an encoded slash");
  strictEqual(targetFault("/v1\\x"), "the path has a backslash");
  strictEqual(targetFault("/v1#x"), "the target has a fragment");
});

Deno.test("targetFault() accepts the targets of real clients", () => {
  const targets = [
    "/",
    "/health",
    "/v1/messages?beta=true",
    "/v1/messages/count_tokens?beta=true",
    "/v1/models?limit=1000",
    "/v1/models/claude-opus-5-5",
    "/v1/files/file_011CNha8iCJcU1wXNR6q4V8w/content",
    "/v1/session_ingress/ws/session_01?a=b%2Fc%2e",
    "/v1/code/sessions/cse_1/worker/events",
    "/api/oauth/files/a%20b.png",
    "/v1/x?redirect=http://evil/../..",
    "/v1/a//b",
    "/.well-known/oauth",
    "/v1/...",
    "/v1/a..b/c.",
    "/v1/~a;b=c,d:e@f!$&'()*+=",
  ];
  for (const target of targets) strictEqual(targetFault(target), null, target);
});

Deno.test("targetFault() refuses every target that a URL parser takes to another place", () => {
  const piece = fc.constantFrom(
    ..."/.\\%@:;?#".split(""),
    "..",
    "%2e",
    "%2F",
    "%5c",
    "%25",
    "//",
    "v1",
    "code",
    "messages",
    "k",
  );
  const target = fc.array(piece, { maxLength: 10 }).map((p) => p.join(""));
  fc.assert(
    fc.property(target, (target) => {
      if (targetFault(target) !== null) return;
      const url = new URL(`http://upstream.test${target}`);
      strictEqual(url.host, "upstream.test");
      strictEqual(url.href, `http://upstream.test${target}`);
      ok(!decodeURIComponent(url.pathname).split(/[\\/]/).includes(".."));
    }),
    { numRuns: trials(5_000, 200_000) },
  );
});

Deno.test("splitKey() removes the key from the path", () => {
  const rows: [target: string, key: string | null, rest: string][] = [
    [
      "/k/abc_DEF-1/v1/messages?beta=true",
      "abc_DEF-1",
      "/v1/messages?beta=true",
    ],
    ["/k/abc/", "abc", "/"],
    ["/k/abc", "abc", "/"],
    ["/k/abc?x=1", "abc", "/?x=1"],
    ["/k/abc//evil/", "abc", "//evil/"],
    ["/k/abc/k/def/v1", "abc", "/k/def/v1"],
    ["/k/", null, "/k/"],
    ["/k//v1/messages", null, "/k//v1/messages"],
    ["/k/a%20b/v1", null, "/k/a%20b/v1"],
    ["/key/abc/v1", null, "/key/abc/v1"],
    ["/v1/k/abc", null, "/v1/k/abc"],
    ["", null, ""],
  ];
  for (const [target, key, rest] of rows) {
    deepStrictEqual(splitKey(target), { key, target: rest }, target);
  }
  ok(targetFault(splitKey("/k/abc//evil/").target) !== null);
});

Deno.test("isOwnCredentialTarget() knows the paths of the client's own login", () => {
  const own = [
    "/v1/code/sessions",
    "/v1/code/",
    "/v1/c%6fde/sessions",
    "/v1//code/x",
    "/v1/code/x?y",
    "/v1/session_ingress/ws/abc",
    "/api/oauth/files/x",
    "/api/oauth/file_upload",
    "/api/oauth/file_upload?x",
    "/api/oauth/file%5Fupload",
  ];
  for (const target of own) ok(isOwnCredentialTarget(target), target);
  const pooled = [
    "/v1/messages",
    "/v1/code",
    "/v1/codes/x",
    "/x/v1/code/",
    "/v1/messages?/v1/code/",
    "/api/oauth/profile",
    "/api/oauth/files",
    "/",
  ];
  for (const target of pooled) ok(!isOwnCredentialTarget(target), target);
});

Deno.test("isTokenTarget(), isHoldTarget() and isNoiseTarget() know theirs", () => {
  ok(isTokenTarget("POST", "/v1/oauth/token"));
  ok(isTokenTarget("POST", "/v1/oauth/token?x"));
  ok(!isTokenTarget("GET", "/v1/oauth/token"));
  ok(!isTokenTarget("POST", "/v1/oauth/token/x"));

  ok(isHoldTarget("/v1/messages?beta=true"));
  ok(isHoldTarget("/v1/messages/count_tokens"));
  ok(isHoldTarget("/v1/messages/batches"));
  ok(!isHoldTarget("/v1/messagesx"));
  ok(!isHoldTarget("/v1/models"));
  ok(!isHoldTarget("/x?/v1/messages"));

  ok(isNoiseTarget("POST", "/api/event_logging/v2/batch"));
  ok(isNoiseTarget("GET", "/mcp-registry/v0/servers"));
  ok(isNoiseTarget("HEAD", "/api/hello"));
  ok(!isNoiseTarget("GET", "/api/hello"));
  for (const method of ["GET", "HEAD"]) {
    ok(isNoiseTarget(method, "/"));
    ok(isNoiseTarget(method, "/health?x"));
  }
  ok(!isNoiseTarget("POST", "/"));
  ok(!isNoiseTarget("POST", "/v1/messages"));
  ok(!isNoiseTarget("GET", "/healthz"));
});

import { strictEqual, throws } from "node:assert/strict";
import { TcError } from "../../src/errors.ts";
import { proxyRules } from "../../src/http/proxy_rules.ts";

const SETTINGS = {
  httpsProxy: "http://secure.example:3128",
  httpProxy: "plain.example:8080",
  noProxy: null,
};

Deno.test("proxyRules() chooses by the origin's scheme", () => {
  const proxyFor = proxyRules(SETTINGS);
  strictEqual(
    proxyFor("https://api.anthropic.com")?.host,
    "secure.example:3128",
  );
  strictEqual(proxyFor("http://backend.example")?.host, "plain.example:8080");
});

Deno.test("proxyRules() uses no proxy if none is set", () => {
  const proxyFor = proxyRules({
    httpsProxy: " ",
    httpProxy: null,
    noProxy: "",
  });
  strictEqual(proxyFor("https://api.anthropic.com"), null);
  strictEqual(proxyFor("http://api.anthropic.com"), null);
});

Deno.test("proxyRules() reaches loopback directly", () => {
  const proxyFor = proxyRules(SETTINGS);
  for (
    const host of [
      "localhost",
      "a.localhost",
      "127.0.0.1",
      "127.9.8.7",
      "[::1]",
    ]
  ) {
    strictEqual(proxyFor(`https://${host}:9000`), null, host);
  }
  strictEqual(proxyFor("https://localhost.example")?.port, "3128");
  strictEqual(proxyFor("https://127.example")?.port, "3128");
});

Deno.test("proxyRules() follows the list of exceptions", () => {
  const cases:
    readonly (readonly [list: string, origin: string, isDirect: boolean])[] = [
      ["*", "https://any.example", true],
      ["example.com", "https://example.com", true],
      ["example.com", "https://api.example.com", true],
      ["example.com", "https://notexample.com", false],
      ["example.com", "https://example.com.evil", false],
      [".example.com", "https://api.example.com", true],
      [".example.com", "https://example.com", true],
      ["*.example.com", "https://api.example.com", true],
      ["EXAMPLE.com", "https://example.COM", true],
      ["example.com", "https://example.com.", true],
      ["a.example, b.example", "https://b.example", true],
      ["a.example b.example", "https://b.example", true],
      ["example.com:443", "https://example.com", true],
      ["example.com:443", "https://example.com:8443", false],
      ["example.com:8443", "https://example.com:8443", true],
      ["example.com:80", "http://example.com", true],
      ["10.0.0.1", "https://10.0.0.1", true],
      ["10.0.0.1", "https://10.0.0.12", false],
      ["fd00::1", "https://[fd00::1]", true],
      ["[fd00::1]:443", "https://[fd00::1]", true],
      [",,", "https://example.com", false],
      [".", "https://example.com", false],
    ];
  for (const [noProxy, origin, isDirect] of cases) {
    const proxy = proxyRules({ ...SETTINGS, noProxy })(origin);
    strictEqual(proxy === null, isDirect, `${noProxy} for ${origin}`);
  }
});

Deno.test("proxyRules() refuses a proxy that is not a URL", () => {
  for (const httpsProxy of ["http://", "ht!tp://x:secret@z"]) {
    throws(
      () => proxyRules({ ...SETTINGS, httpsProxy }),
      (error: Error) =>
        error instanceof TcError && error.code === "bad_proxy" &&
        !error.message.includes("secret"),
    );
  }
});

import { RefreshToken } from "../../src/ports.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import {
  type ClaudeLogin,
  readClaudeLogin,
  readClaudeText,
  tierOf,
  writeClaudeLogin,
} from "../../src/wire/claude_credential.ts";

const STORED = {
  claudeAiOauth: {
    accessToken: "sk-ant-oat01-FAKE",
    refreshToken: "sk-ant-ort01-FAKE",
    expiresAt: 1_790_000_000_000,
    scopes: ["user:inference", "user:profile"],
    subscriptionType: "max",
    rateLimitTier: "default_claude_max_20x",
    subscriptionTypeSource: "sign_in",
  },
  mcpOAuth: { server: { token: "FAKE" } },
};

function found(json: unknown): ClaudeLogin {
  const reading = readClaudeLogin(json);
  if (reading.kind !== "found") throw new TypeError(reading.kind);
  return reading.login;
}

Deno.test("readClaudeLogin() reads the nested and the flat form", () => {
  for (const json of [STORED, STORED.claudeAiOauth]) {
    const { credential, subscriptionType, rateLimitTier } = found(json);
    strictEqual(credential.accessToken.reveal(), "sk-ant-oat01-FAKE");
    strictEqual(
      RefreshToken.toStore(credential.refreshToken),
      "sk-ant-ort01-FAKE",
    );
    strictEqual(credential.expiresAt, 1_790_000_000_000);
    deepStrictEqual(credential.scopes, ["user:inference", "user:profile"]);
    strictEqual(subscriptionType, "max");
    strictEqual(rateLimitTier, "default_claude_max_20x");
  }
});

Deno.test("readClaudeLogin() reads an expiry in seconds", () => {
  const json = { ...STORED.claudeAiOauth, expiresAt: 1_790_000_000 };
  strictEqual(found(json).credential.expiresAt, 1_790_000_000_000);
});

Deno.test("readClaudeLogin() calls a half-written login blank", () => {
  const whole = STORED.claudeAiOauth;
  const halves = [
    { ...whole, accessToken: "" },
    { ...whole, refreshToken: "", scopes: [] },
    { ...whole, refreshToken: " ", scopes: [] },
    { ...whole, expiresAt: null },
    { ...whole, accessToken: null },
    { accessToken: "x" },
    { accessToken: "", refreshToken: "", expiresAt: 0 },
  ];
  for (const half of halves) {
    strictEqual(readClaudeLogin(half).kind, "blank");
    strictEqual(readClaudeLogin({ claudeAiOauth: half }).kind, "blank");
  }
});

Deno.test("readClaudeLogin() reads an end in whatever form it is written", () => {
  const AT = 1_790_000_000_000;
  const table: readonly (readonly [unknown, number])[] = [
    [AT, AT],
    [AT / 1_000, AT],
    [String(AT), AT],
    [String(AT / 1_000), AT],
    [new Date(AT).toISOString(), AT],
    // What does not end is shown as a date all the same.
    [9_999_999_999_999_999, Date.UTC(2100, 0, 1)],
    ["9999999999999999", Date.UTC(2100, 0, 1)],
    [Number.MAX_VALUE, Date.UTC(2100, 0, 1)],
    // Without one that makes sense it is over: the provider is asked.
    [0, 0],
    [-5, 0],
    ["soon", 0],
    [true, 0],
    [{}, 0],
  ];
  for (const [expiresAt, expected] of table) {
    const { credential } = found({ ...STORED.claudeAiOauth, expiresAt });
    strictEqual(credential.expiresAt, expected, JSON.stringify(expiresAt));
    strictEqual(
      Number.isNaN(new Date(credential.expiresAt).getTime()),
      false,
    );
  }
});

Deno.test("readClaudeLogin() keeps whose the login is and when its sign-in ends", () => {
  const who = { accountUuid: "a", organizationUuid: "o" };
  const login = found({
    ...STORED.claudeAiOauth,
    ...who,
    refreshTokenExpiresAt: 1_792_000_000_000,
  });
  deepStrictEqual(login.identity, who);
  strictEqual(login.credential.signInEndsAt, 1_792_000_000_000);
  const written = writeClaudeLogin(null, login)["claudeAiOauth"] as Record<
    string,
    unknown
  >;
  strictEqual(written["refreshTokenExpiresAt"], 1_792_000_000_000);
  strictEqual(written["organizationUuid"], "o");
});

Deno.test("readClaudeLogin() recognises a token that cannot be renewed", () => {
  const reading = readClaudeLogin({
    ...STORED.claudeAiOauth,
    refreshToken: "",
    expiresAt: 9_999_999_999_999_999,
  });
  ok(reading.kind === "token");
  strictEqual(reading.token.reveal(), "sk-ant-oat01-FAKE");
  strictEqual(reading.expiresAt, Date.UTC(2100, 0, 1));
});

Deno.test("readClaudeText() distinguishes unreadable from absent", () => {
  const text = JSON.stringify(STORED);
  const table = [
    [null, "absent"],
    ["", "blank"],
    ["{}", "absent"],
    [text, "found"],
    [`\uFEFF${text}`, "unreadable"],
    [text.slice(0, 60), "unreadable"],
    [text.replace(/}$/, ",}"), "unreadable"],
  ] as const;
  for (const [content, kind] of table) {
    strictEqual(readClaudeText(content).kind, kind, content ?? "null");
  }
});

Deno.test("writeClaudeLogin() gives a login of unknown scopes the client's own", () => {
  const login = found({ ...STORED.claudeAiOauth, scopes: [] });
  const written = writeClaudeLogin(null, login)["claudeAiOauth"] as Record<
    string,
    unknown
  >;
  deepStrictEqual(written["scopes"], [
    "user:profile",
    "user:inference",
    "user:sessions:claude_code",
    "user:mcp_servers",
    "user:file_upload",
    "user:plugins",
  ]);
});

Deno.test("readClaudeLogin() finds nothing in anything else", () => {
  for (
    const json of [null, 1, "x", [], {}, { mcpOAuth: {} }, {
      claudeAiOauth: null,
    }]
  ) {
    strictEqual(readClaudeLogin(json).kind, "absent");
  }
  fc.assert(fc.property(fc.jsonValue(), (json) => {
    strictEqual(readClaudeLogin(json).kind === "found", false);
  }));
});

Deno.test("writeClaudeLogin() keeps every other key, nested and flat", () => {
  const login = found({
    ...STORED.claudeAiOauth,
    accessToken: "new-access",
    refreshToken: "new-refresh",
  });
  deepStrictEqual(writeClaudeLogin(STORED, login), {
    ...STORED,
    claudeAiOauth: {
      ...STORED.claudeAiOauth,
      accessToken: "new-access",
      refreshToken: "new-refresh",
    },
  });
  deepStrictEqual(
    Object.keys(writeClaudeLogin(STORED.claudeAiOauth, login)),
    Object.keys(STORED.claudeAiOauth),
  );
  const { subscriptionTypeSource: _source, ...bare } = STORED.claudeAiOauth;
  deepStrictEqual(
    writeClaudeLogin(null, found(bare)),
    { claudeAiOauth: bare },
  );
});

Deno.test("tierOf() reads the provider's names", () => {
  const table = [
    ["default_claude_max_20x", "claude_max", "max_20x"],
    ["default_claude_max_5x", null, "max_5x"],
    [null, "claude_pro", "pro"],
    ["default_claude_pro", null, "pro"],
    [null, "pro", "pro"],
    [null, "claude_team", "team"],
    ["default_claude_enterprise", "claude_enterprise", "team"],
    [null, "claude_max", "unknown"],
    [null, null, "unknown"],
    ["default_claude_max_7x", "profit", "unknown"],
  ] as const;
  for (const [limit, plan, tier] of table) {
    strictEqual(tierOf(limit, plan), tier, `${limit} ${plan}`);
  }
});

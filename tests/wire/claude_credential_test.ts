import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import {
  type ClaudeLogin,
  readClaudeLogin,
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
    strictEqual(credential.refreshToken.reveal(), "sk-ant-ort01-FAKE");
    strictEqual(credential.expiresAt, 1_790_000_000_000);
    deepStrictEqual(credential.scopes, ["user:inference", "user:profile"]);
    strictEqual(subscriptionType, "max");
    strictEqual(rateLimitTier, "default_claude_max_20x");
  }
});

Deno.test("readClaudeLogin() takes an expiry in seconds for what it is", () => {
  const json = { ...STORED.claudeAiOauth, expiresAt: 1_790_000_000 };
  strictEqual(found(json).credential.expiresAt, 1_790_000_000_000);
});

Deno.test("readClaudeLogin() calls a half-written login blank", () => {
  const whole = STORED.claudeAiOauth;
  const halves = [
    { ...whole, accessToken: "" },
    { ...whole, refreshToken: "" },
    { ...whole, refreshToken: " " },
    { ...whole, expiresAt: 0 },
    { ...whole, expiresAt: "soon" },
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

Deno.test("tierOf() knows the provider's names", () => {
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

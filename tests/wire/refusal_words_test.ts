import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { Lack } from "../../src/core/quota/entitlement.ts";
import type { ResponseFacts } from "../../src/core/quota/verdict.ts";
import { type Asked, withRights } from "../../src/wire/answer/refusal_words.ts";

const LONG = "context-1m-2025-08-07";
const ASKED: Asked = {
  model: "claude-fable-5-2",
  betas: `oauth-2025-04-20,${LONG},other-2026-01-01`,
  contextTokens: 250_000,
  client: "sdk",
  path: "/v1/messages",
};

function facts(status: number, errorMessage: string): ResponseFacts {
  return {
    status,
    rejected: null,
    hasLimits: false,
    isAllowed: false,
    retryAt: null,
    lack: null,
    lacksInference: false,
    errorType: null,
    errorMessage,
  };
}

const BETA: Lack = { kind: "beta", beta: LONG };
const PAID: Lack = { kind: "size", tokens: 250_000, isPaid: true };
const MODEL: Lack = { kind: "model", model: "claude-fable-5-2" };

/** The provider's sentences and what each says of the account; null is nothing. */
const ROWS: readonly (readonly [string, Lack | null])[] = [
  [
    "The long context beta is not yet available for this subscription.",
    BETA,
  ],
  ["Extra usage is required for long context requests.", PAID],
  ["You're out of extra usage. Add more at claude.ai/settings/usage.", PAID],
  ["Extra usage is disabled for your organization", PAID],
  [
    "Unexpected value(s) `other-2026-01-01` for the `anthropic-beta` header.",
    { kind: "beta", beta: "other-2026-01-01" },
  ],
  [
    "The beta other-2026-01-01 is not enabled for your account",
    { kind: "beta", beta: "other-2026-01-01" },
  ],
  ["model: claude-fable-5-2", MODEL],
  ["Your plan does not include this model", MODEL],
  ["The model claude-fable-5-2 is not available on your plan", MODEL],
  // Not about rights.
  ["messages: at least one message is required", null],
  ["max_tokens: 200000 > 128000, the maximum of the model", null],
  ["prompt is too long: 1000001 tokens > 1000000 maximum", null],
  ["This request would exceed your account's rate limit.", null],
  ["Unexpected value(s) `unknown-9` for the `anthropic-beta` header.", null],
  ["", null],
];

Deno.test("withRights() reads the sentence, whatever status it comes with", () => {
  for (const [sentence, lack] of ROWS) {
    for (const status of [400, 402, 403, 404, 429]) {
      const read = withRights(facts(status, sentence), ASKED);
      deepStrictEqual(read.lack, lack, `${status} ${sentence}`);
      strictEqual(read.lacksInference, false);
    }
    strictEqual(withRights(facts(500, sentence), ASKED).lack, null, sentence);
    strictEqual(withRights(facts(529, sentence), ASKED).lack, null, sentence);
  }
});

Deno.test("withRights() needs the subject in the request", () => {
  const bare: Asked = { ...ASKED, betas: "", model: null, contextTokens: 0 };
  for (const [sentence] of ROWS) {
    strictEqual(withRights(facts(400, sentence), bare).lack, null, sentence);
  }
  // Long context without its beta is about the length of the prompt.
  deepStrictEqual(
    withRights(
      facts(400, "The long context beta is not yet available"),
      { ...ASKED, betas: "" },
    ).lack,
    { kind: "size", tokens: 250_000, isPaid: false },
  );
});

Deno.test("withRights() notices a login without the inference scope only on messages", () => {
  const sentence = "OAuth token does not meet scope requirement user:inference";
  strictEqual(withRights(facts(403, sentence), ASKED).lacksInference, true);
  const profile = { ...ASKED, path: "/api/oauth/profile" };
  strictEqual(withRights(facts(403, sentence), profile).lacksInference, false);
});

Deno.test("withRights() takes paths that want a key as a lack of the path", () => {
  const sentence = "OAuth authentication is currently not supported.";
  const models = { ...ASKED, path: "/v1/models/claude-fable-5-2" };
  deepStrictEqual(withRights(facts(401, sentence), models).lack, {
    kind: "path",
    path: "/v1/models",
  });
  strictEqual(withRights(facts(401, sentence), ASKED).lack, null);
});

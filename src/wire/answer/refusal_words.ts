/**
 * What the provider's error messages say about an account's rights. The same
 * refusal comes as 400, 402, 403, 404 or 429, so the words are read before the
 * status is judged.
 *
 * @module
 */

import type { Lack } from "../../core/quota/entitlement.ts";
import type { RouteFacts } from "../../core/facts.ts";
import type { ResponseFacts } from "../../core/quota/verdict.ts";
import { isHoldTarget, pathKind } from "../request/target.ts";

/** The parts of a request that a refusal may be about. */
export type Asked = Pick<
  RouteFacts,
  "model" | "betas" | "contextTokens" | "client" | "path"
>;

/** The statuses of such refusals. */
const STATUSES: ReadonlySet<number> = new Set([400, 401, 402, 403, 404, 429]);

/** The beta for long prompts, of any date. */
const LONG_CONTEXT_BETA = /context-1m-\d{4}-\d{2}-\d{2}/;

type Reading = (asked: Asked, match: RegExpExecArray) => Lack | null;

/**
 * The sentences, first match first. Sources: Claude Code's own texts for the
 * refusals of its provider and public reports (`facts/peers.md` 0).
 */
const SENTENCES: readonly (readonly [RegExp, Reading])[] = [
  // "This credential is only authorized for use with Claude Code …" and
  // "Third-party apps now draw from your extra usage …".
  [
    /only authorized for use with claude code|third-party apps? .*extra usage/i,
    ({ client }) => ({ kind: "client", client }),
  ],
  // "The long context beta is not yet available for this subscription."
  [
    /long[- ]context beta|1m[- ]context beta/i,
    (asked) => longContextBeta(asked) ?? size(asked, false),
  ],
  // "Extra usage is required for long context requests."
  [
    /(extra usage|usage credits?) (is|are) required|required for long[- ]context/i,
    (asked) => size(asked, true),
  ],
  // "You're out of extra usage. Add more at claude.ai/settings/usage."
  [
    /out of (extra usage|usage credits?)|extra usage (is )?(disabled|off|not enabled)/i,
    (asked) => size(asked, true),
  ],
  // "Unexpected value(s) `x-2026-01-01` for the `anthropic-beta` header."
  [
    /unexpected value\(s\) (.+) for the `?anthropic-beta`? header/i,
    (asked, match) => namedBeta(asked, match[1] ?? ""),
  ],
  // "This beta (x-2026-01-01) is not available for your account."
  [
    /\bbeta\b.*not (yet )?(available|enabled|supported|allowed)/i,
    (asked, match) => namedBeta(asked, match.input),
  ],
  // 404 "model: claude-x" and "Your plan does not include this model."
  [/^model:\s*\S+/i, (asked) => model(asked)],
  [
    /\bmodel\b.*(not (available|included|found|allowed|enabled)|does not exist)/i,
    (asked) => model(asked),
  ],
  [
    /(not (available|included|allowed)|not (have access|include)).*\bmodel\b/i,
    (asked) => model(asked),
  ],
  // 401 "OAuth authentication is currently not supported." on paths for keys.
  [
    /oauth authentication is (currently )?not supported/i,
    ({ path }) =>
      isHoldTarget(path) ? null : { kind: "path", path: pathKind(path) },
  ],
];

/** 403 "OAuth token does not meet scope requirement user:inference". */
const INFERENCE_SCOPE = /scope.*user:inference|user:inference.*scope/i;

/** Returns `facts` with the right to something in `asked` that they refuse. */
export function withRights(facts: ResponseFacts, asked: Asked): ResponseFacts {
  const message = facts.errorMessage ?? "";
  if (message === "" || !STATUSES.has(statusOf(facts))) return facts;
  if (isHoldTarget(asked.path) && INFERENCE_SCOPE.test(message)) {
    return { ...facts, lacksInference: true };
  }
  for (const [sentence, reading] of SENTENCES) {
    const match = sentence.exec(message);
    const lack = match === null ? null : reading(asked, match);
    if (lack !== null) return { ...facts, lack };
  }
  return facts;
}

/** Returns the status; for an error inside a 200 stream by its type. */
function statusOf({ status, errorType }: ResponseFacts): number {
  if (status >= 400) return status;
  return errorType === "rate_limit_error"
    ? 429
    : errorType === null
    ? 200
    : 400;
}

function longContextBeta({ betas }: Asked): Lack | null {
  const beta = LONG_CONTEXT_BETA.exec(betas)?.[0];
  return beta === undefined ? null : { kind: "beta", beta };
}

/** Without a known size the refusal would close the account to every prompt. */
function size({ contextTokens }: Asked, isPaid: boolean): Lack | null {
  return contextTokens > 0
    ? { kind: "size", tokens: contextTokens, isPaid }
    : null;
}

function model(asked: Asked): Lack | null {
  return asked.model === null ? null : { kind: "model", model: asked.model };
}

/** Returns the first beta of the request that the text names. */
function namedBeta({ betas }: Asked, text: string): Lack | null {
  for (const part of betas.split(",")) {
    const beta = part.trim();
    if (beta !== "" && text.includes(beta)) return { kind: "beta", beta };
  }
  return null;
}

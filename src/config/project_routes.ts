/**
 * The setting `routes`: its schema, what is wrong with a value in words, and
 * the rules that the router takes.
 *
 * @module
 */

import * as v from "valibot";
import { nearest } from "../core/nearest.ts";
import { inert } from "../core/plain_text.ts";
import type { ProjectRoute } from "../core/route/project_route.ts";
import { POLICY_NAMES } from "../core/settings.ts";
import { leaf } from "./setting_kinds.ts";

/** The most rules; each request is held against them. */
const ROUTES_MAX = 200;

const RULE = v.strictObject({
  project: v.pipe(v.string(), v.minLength(1), v.maxLength(4_096)),
  accounts: v.optional(v.pipe(v.array(v.string()), v.minLength(1))),
  policy: v.optional(v.picklist(POLICY_NAMES)),
});

type Rule = v.InferOutput<typeof RULE>;

const FIELDS = ["project", "accounts", "policy"];

/** Returns the setting, which is empty by default. */
export function routesSetting(): ReturnType<typeof leaf<Rule[]>> {
  return leaf<Rule[]>(
    v.pipe(v.array(RULE), v.maxLength(ROUTES_MAX)),
    [],
    {
      help:
        "Rules by project: which accounts may serve a repository, and by which policy; the first that fits decides",
      allowed:
        'a list such as [{"project": "acme", "accounts": ["work"], "policy": "price"}]; ' +
        "a project is a repository's name, its path or a folder above it, or * for every request",
    },
  );
}

/** Returns the rules with `~` written out; `home` is null where unknown. */
export function projectRoutes(
  rules: readonly Rule[],
  home: string | null,
): readonly ProjectRoute[] {
  return rules.map(({ project, accounts, policy }) => ({
    project: home !== null && /^~[\\/]/.test(project)
      ? `${home}${project.slice(1)}`
      : project,
    accounts: accounts ?? null,
    policy: policy ?? null,
  }));
}

/** Returns what is wrong with a value of `routes`; null if nothing is. */
export function routesTrouble(value: unknown): string | null {
  if (v.is(v.pipe(v.array(RULE), v.maxLength(ROUTES_MAX)), value)) return null;
  if (!Array.isArray(value)) return "it must be a list of rules";
  if (value.length > ROUTES_MAX) return `it has more than ${ROUTES_MAX} rules`;
  for (const [index, rule] of value.entries()) {
    const trouble = ruleTrouble(rule);
    if (trouble !== null) return `rule ${index + 1} ${trouble}`;
  }
  return null;
}

function ruleTrouble(rule: unknown): string | null {
  if (typeof rule !== "object" || rule === null || Array.isArray(rule)) {
    return 'is not an object such as {"project": "acme", "accounts": ["work"]}';
  }
  const unknown = Object.keys(rule).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) {
    return `has the field ${inert(unknown)}, which is unknown${
      meant(unknown, FIELDS)
    }`;
  }
  const { project, accounts, policy } = rule as Record<string, unknown>;
  if (typeof project !== "string" || project === "") {
    return "needs a project: a repository's name, its path, or *";
  }
  if (accounts !== undefined && !v.is(RULE.entries.accounts, accounts)) {
    return "needs accounts as a list of at least one name";
  }
  if (policy !== undefined && !v.is(RULE.entries.policy, policy)) {
    const name = inert(String(policy));
    return `names the policy ${name}: it must be one of ${
      POLICY_NAMES.join(", ")
    }${meant(name, POLICY_NAMES)}`;
  }
  return null;
}

/** Returns `; did you mean …?`, if a known word is near. */
function meant(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === null ? "" : ` (did you mean ${near}?)`;
}

/**
 * What Claude Code passes to its hooks on standard input (claude-code 2.1.329).
 *
 * @module
 */

import { asText } from "./claude_file.ts";

/** The plugin's hooks, by the names that `tc hook` accepts. */
export const HOOKS = [
  "session-start",
  "user-prompt-submit",
  "stop-failure",
  "pre-compact",
] as const;

export type HookName = typeof HOOKS[number];

export interface HookInput {
  readonly session: string | null;
  /** Of SessionStart: startup, resume, clear or compact. */
  readonly source: string | null;
  /** Of StopFailure: `rate_limit` and others. */
  readonly error: string | null;
  /** Of PreCompact: manual or auto. */
  readonly trigger: string | null;
  /** The folder in which the session works. */
  readonly folder: string | null;
}

const WORD = /^[\w.:-]{1,128}$/;

/**
 * Returns the input in `text`; missing or odd fields are null. Never throws.
 */
export function readHookInput(text: string): HookInput {
  const fields = parsed(text);
  return {
    session: word(fields["session_id"]),
    source: word(fields["source"]),
    error: word(fields["error"]),
    trigger: word(fields["trigger"]),
    folder: asText(fields["cwd"]),
  };
}

export function hookName(text: string | undefined): HookName | null {
  return HOOKS.find((name) => name === text) ?? null;
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null
      ? value as Readonly<Record<string, unknown>>
      : {};
  } catch {
    // A hook must never fail: it does what it can without its input.
    return {};
  }
}

function word(value: unknown): string | null {
  return typeof value === "string" && WORD.test(value) ? value : null;
}

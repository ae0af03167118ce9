/**
 * The findings of `tc doctor`: one line each, with a fix. A finding never holds
 * a secret.
 *
 * @module
 */

import { hintOf, reasonOf, TcError } from "../../errors.ts";
import type { Shell } from "../shell.ts";
import type { Variables } from "../../claude/launch_variables.ts";
import { withVariables } from "../../shell_words.ts";

export type FindingLevel = "ok" | "warn" | "fail";

export interface Finding {
  readonly level: FindingLevel;
  /** What was checked, in one or two words. */
  readonly topic: string;
  readonly text: string;
  /** What fixes it, if possible a command to type; null if all is well. */
  readonly fix: string | null;
  /** Fixes it without asking, if that can do no harm. */
  readonly repair?: () => void;
}

/** What the checks examine. */
export interface DoctorContext {
  readonly shell: Shell;
  /** The whole environment, for the variables of other programs. */
  readonly variables: Variables;
}

export type Check = (context: DoctorContext) => Promise<readonly Finding[]>;

export function fine(topic: string, text: string): Finding {
  return { level: "ok", topic, text, fix: null };
}

export function warning(topic: string, text: string, fix: string): Finding {
  return { level: "warn", topic, text, fix };
}

export function failure(topic: string, text: string, fix: string): Finding {
  return { level: "fail", topic, text, fix };
}

/** Returns the finding of a check that failed itself. */
export function failureOf(
  topic: string,
  cause: unknown,
  { shell }: Pick<DoctorContext, "shell">,
): Finding {
  if (cause instanceof TcError) {
    const fix = hintOf(cause, shell.person)?.split("\n")[0] ??
      "see the message";
    return failure(topic, cause.message, fix);
  }
  const reason = reasonOf(cause);
  return failure(
    topic,
    `could not be looked at: ${reason}`,
    withVariables(shell.person, { TC_DEBUG: "1" }, "tc doctor"),
  );
}

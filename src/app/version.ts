/**
 * What this build is.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };

export interface BuildInfo {
  readonly version: string;
  /** Commit and date of a release build; `source` when run from source. */
  readonly commit: string;
  readonly date: string;
  readonly deno: string;
  readonly target: string;
}

/** `tc/1.2.3`: how our own requests name themselves. */
export const USER_AGENT = `tc/${config.version}`;

export function buildInfo(): BuildInfo {
  return {
    version: config.version,
    commit: "source",
    date: "",
    deno: Deno.version.deno,
    target: Deno.build.target,
  };
}

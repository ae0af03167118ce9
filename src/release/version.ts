/**
 * Version and marks of this build.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };
import { BUILD } from "./build.ts";

interface BuildInfo {
  readonly version: string;
  /** Commit and date of a release build; `source` when run from source. */
  readonly commit: string;
  readonly date: string;
  readonly deno: string;
  readonly target: string;
}

/** User agent of tc's own requests: `tc/1.2.3`. */
export const USER_AGENT = `tc/${config.version}`;

export function buildInfo(): BuildInfo {
  return {
    version: config.version,
    commit: BUILD.commit,
    date: BUILD.date,
    deno: Deno.version.deno,
    target: Deno.build.target,
  };
}

/** `tc 1.2.3 (commit, date, deno 2.9.6, x86_64-unknown-linux-gnu)`. */
export function versionText(): string {
  const { version, commit, date, deno, target } = buildInfo();
  const parts = [commit, date, `deno ${deno}`, target].filter((part) =>
    part !== ""
  );
  return `tc ${version} (${parts.join(", ")})`;
}

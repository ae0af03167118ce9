/**
 * Marks of this build. The compile script replaces this file for a release.
 *
 * @module
 */

/** The commit, and its date as `2026-11-21`; `source` when run from source. */
export const BUILD: {
  readonly commit: string;
  readonly date: string;
  /** URL of its releases; empty if unknown. */
  readonly releases: string;
} = {
  commit: "source",
  date: "",
  releases: "",
};

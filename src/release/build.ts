/**
 * Marks of this build. The compile script writes those of a release in the
 * place of these.
 *
 * @module
 */

/** The commit, and its date as `2026-11-21`; `source` when run from source. */
export const BUILD: {
  readonly commit: string;
  readonly date: string;
  /** Where its releases are published, or empty where nobody knows. */
  readonly releases: string;
} = {
  commit: "source",
  date: "",
  releases: "",
};

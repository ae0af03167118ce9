/**
 * Variables that look as if they were tc's and are not: a mistyped name would
 * leave a setting as it was without a word.
 *
 * @module
 */

import { nearest } from "../core/nearest.ts";
import { settingRows } from "./settings.ts";

/** Variables of tc that are not settings. */
const OTHERS = [
  "TC_ASCII",
  "TC_CONFIG",
  "TC_DEBUG",
  "TC_DOCTOR_PROGRAM",
  "TC_FILES_RAISED",
  "TC_LAUNCHED",
  "TC_NO_UPDATE_CHECK",
] as const;

/** Variables of the tests, and of the scripts that build and install tc. */
const OF_SCRIPTS =
  /^TC_(?:TEST.*|LONG|COMPILE_DENO|RELEASE_KEY|VERSION|BASE_URL|PREFIX|REPOSITORY)$/;

/** A variable that no part of tc reads. */
interface StrayVariable {
  readonly name: string;
  /** The variable that was probably meant, or null. */
  readonly nearest: string | null;
}

/** Returns those of `names` that begin with `TC_` and are nobody's. */
export function strayVariables(
  names: readonly string[],
): readonly StrayVariable[] {
  const known = [...OTHERS, ...settingRows().map(({ variable }) => variable)];
  return names
    .filter((name) =>
      name.startsWith("TC_") && !known.includes(name) && !OF_SCRIPTS.test(name)
    )
    .toSorted()
    .map((name) => ({ name, nearest: nearest(name, known) }));
}

/**
 * A policy named on the command line.
 *
 * @module
 */

import { POLICY_NAMES, type PolicyName } from "../../core/settings.ts";
import { UsageError } from "../../errors.ts";

/**
 * Returns the policy called `name`. Throws UsageError that lists all of them.
 */
export function policyNamed(name: string): PolicyName {
  const known = POLICY_NAMES.find((policy) => policy === name);
  if (known !== undefined) return known;
  throw new UsageError(
    `Cannot use policy ${name}: it must be one of ${POLICY_NAMES.join(", ")}`,
  );
}

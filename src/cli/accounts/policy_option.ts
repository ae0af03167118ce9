/**
 * A policy as it is named on the command line.
 *
 * @module
 */

import { POLICY_NAMES, type PolicyName } from "../../core/settings.ts";
import { UsageError } from "../../errors.ts";

/** The policy called `name`; throws UsageError with all that there are. */
export function policyNamed(name: string): PolicyName {
  const known = POLICY_NAMES.find((policy) => policy === name);
  if (known !== undefined) return known;
  throw new UsageError(
    `Cannot use policy ${name}: it must be one of ${POLICY_NAMES.join(", ")}`,
  );
}

/**
 * All policies by their name.
 *
 * @module
 */

import type { PolicyName } from "../settings.ts";
import { BALANCE } from "./balance.ts";
import { CACHE_FIRST } from "./cache_first.ts";
import { LEAST_USED } from "./least_used.ts";
import { PACE } from "./pace.ts";
import type { Policy } from "./policy.ts";
import { PRICE } from "./price.ts";
import { SCORED } from "./scored.ts";

export const POLICIES: Readonly<Record<PolicyName, Policy>> = {
  price: PRICE,
  pace: PACE,
  balance: BALANCE,
  "cache-first": CACHE_FIRST,
  "least-used": LEAST_USED,
  scored: SCORED,
};

/**
 * The demo's scenarios: how the accounts start, what the traffic is like, and
 * what happens on the way.
 *
 * @module
 */

import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../core/time.ts";
import type { DemoApi } from "./provider/api.ts";
import { PLANS } from "./quota/plans.ts";
import type { PaceName } from "./traffic/traffic_session.ts";

export type ScenarioName =
  | "calm"
  | "failover"
  | "storm"
  | "all-spent"
  | "fleet";

export interface Scenario {
  readonly name: ScenarioName;
  /** One line for the help and the list. */
  readonly says: string;
  readonly sessions: number;
  readonly pace: PaceName;
  /** Whether it has an orchestration tree. */
  readonly hasFleet: boolean;
  /** Sets the accounts up. */
  readonly prepare: (api: DemoApi) => void;
}

export const DEFAULT_SCENARIO: ScenarioName = "failover";
/** A 429 that is seen at once and ends while one watches. */
const SOON_MS = 3 * MINUTE_MS;
/**
 * What is left on the nearly spent account: enough for one or two dozen
 * requests.
 */
const UNITS_LEFT = 30_000;

const WIDE_LIMITS = { concurrency: 20, requestsPerMinute: 2_000 };

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "calm",
    says: "three accounts with room, people who think between prompts",
    sessions: 3,
    pace: "human",
    hasFleet: false,
    prepare: (api) => {
      api.account("work").windows({ "5h": 0.31, "7d": 0.44 })
        .resetIn("5h", 2 * HOUR_MS);
      api.account("home").windows({ "5h": 0.12, "7d": 0.27 })
        .resetIn("5h", 4 * HOUR_MS);
    },
  },
  {
    name: "failover",
    says: "work is nearly spent: its sessions go on elsewhere, unnoticed",
    sessions: 4,
    pace: "human",
    hasFleet: false,
    prepare: nearlySpent,
  },
  {
    name: "storm",
    says: "overloads, throttles and broken streams on every account",
    sessions: 8,
    pace: "fleet",
    hasFleet: false,
    prepare: (api) => {
      nearlySpent(api);
      api.faults({
        seed: "storm",
        rate: {
          overloaded: 0.08,
          throttled: 0.06,
          burst: 0.03,
          server_error: 0.03,
          late: 0.05,
          error_event: 0.03,
          cut: 0.03,
          expired: 0.01,
        },
      });
    },
  },
  {
    name: "all-spent",
    says: "nothing is left: requests are held until the first reset",
    sessions: 3,
    pace: "human",
    hasFleet: false,
    prepare: (api) => {
      const resets = { work: 40, home: 70, spare: 100 };
      for (const [name, seconds] of Object.entries(resets)) {
        api.account(name).windows({ "5h": 1, "7d": 0.5 })
          .resetIn("5h", seconds * SECOND_MS);
      }
    },
  },
  {
    name: "fleet",
    says: "ten agents at work on a tree of issues",
    sessions: 10,
    pace: "fleet",
    hasFleet: true,
    prepare: (api) => {
      nearlySpent(api);
      // Ten busy agents must not hit rate limits: this scenario is about quota.
      for (const account of api.accounts()) account.limits(WIDE_LIMITS);
    },
  },
];

/** Returns the scenario of that name, or null. */
export function scenarioNamed(name: string): Scenario | null {
  return SCENARIOS.find((scenario) => scenario.name === name) ?? null;
}

function nearlySpent(api: DemoApi): void {
  const { fiveHourUnits } = PLANS[api.account("work").tier];
  api.account("work")
    .windows({ "5h": 1 - UNITS_LEFT / fiveHourUnits, "7d": 0.58 })
    .resetIn("5h", SOON_MS);
  api.account("home").windows({ "5h": 0.35, "7d": 0.41 })
    .resetIn("5h", 2 * HOUR_MS);
}

/**
 * The workloads on which policies are compared. Each is drawn from a seed
 * before any policy runs.
 *
 * @module
 */

import type { Tier } from "../../core/account.ts";
import { job } from "./people.ts";
import { base, developers, POOLS } from "./pools.ts";
import { atHour, paced, plan, WEEK_HOURS } from "./plans.ts";
import { Random } from "../random.ts";
import type { PlannedSession, Workload } from "./workload.ts";

/** Returns agents that start within a quarter of an hour and work for hours. */
function fleetBurst(
  random: Random,
  { name, at, count, hours }: {
    readonly name: string;
    readonly at: number;
    readonly count: number;
    readonly hours: number;
  },
): PlannedSession[] {
  return Array.from({ length: count }, (_, index) =>
    job(random, {
      id: `${name}a${index}`,
      startsAt: atHour(at + random.uniform(0, 0.25)),
      deadline: atHour(at + 11),
      requests: Math.round(hours * random.uniform(70, 150)),
    }));
}

function solo(seed: number): Workload {
  const random = new Random(seed);
  return {
    ...base("solo", 9),
    accounts: paced(random, ["max_5x", "pro", "pro"]),
    sessions: developers(random, { count: 1, days: 9 }),
  };
}

function heavy(seed: number): Workload {
  const random = new Random(seed);
  return {
    ...base("heavy", 9),
    accounts: paced(random, ["max_5x", "max_5x", "max_5x", "max_5x"]),
    sessions: developers(random, { count: 4, days: 9 }),
  };
}

function fleet(seed: number): Workload {
  const random = new Random(seed);
  const sessions: PlannedSession[] = [];
  for (let day = 0; day < 7; day++) {
    for (const hour of [8, 20]) {
      sessions.push(...fleetBurst(random, {
        name: `d${day}h${hour}`,
        at: day * 24 + hour,
        count: 60,
        hours: 1.2,
      }));
    }
  }
  const tiers: Tier[] = Array(6).fill("max_20x");
  return {
    ...base("fleet", 7.5),
    accounts: paced(random, tiers),
    sessions,
  };
}

function nearReset(seed: number): Workload {
  const random = new Random(seed);
  const soon = random.uniform(20, 44);
  return {
    ...base("near-reset", 5),
    accounts: [
      plan("a-soon", "max_5x", {
        weekEndsIn: soon,
        weekUsed: random.uniform(0.55, 0.75),
      }),
      plan("b-mid", "max_5x", {
        weekEndsIn: random.uniform(80, 110),
        weekUsed: random.uniform(0.3, 0.45),
      }),
      plan("c-late", "max_5x", {
        weekEndsIn: random.uniform(130, 160),
        weekUsed: random.uniform(0.05, 0.2),
      }),
    ],
    sessions: developers(random, { count: 3, days: 5 }),
  };
}

function nearlySpent(seed: number): Workload {
  const random = new Random(seed);
  return {
    ...base("nearly-spent", 5),
    accounts: [0, 1, 2, 3].map((index) =>
      plan("abcd"[index] ?? "x", "max_5x", {
        weekEndsIn: random.uniform(24, 120),
        weekUsed: random.uniform(0.85, 0.97),
      })
    ),
    sessions: developers(random, { count: 2, days: 5 }),
  };
}

function mixed(seed: number): Workload {
  const random = new Random(seed);
  return {
    ...base("mixed-tiers", 9),
    accounts: paced(random, ["max_20x", "max_5x", "max_5x", "pro"]),
    sessions: developers(random, { count: 5, days: 9 }),
  };
}

function paidKey(seed: number): Workload {
  const random = new Random(seed);
  return {
    ...base("paid-key", 9),
    accounts: [
      ...paced(random, ["max_5x", "max_5x", "max_5x"]),
      plan("k-key", "unknown", {
        kind: "api_key",
        weekEndsIn: WEEK_HOURS,
        concurrency: 1_000,
        perMinute: 10_000,
      }),
    ],
    sessions: developers(random, { count: 4, days: 9 }),
  };
}

function fresh(seed: number): Workload {
  const random = new Random(seed);
  const tiers: Tier[] = ["max_20x", "max_20x", "max_5x", "max_5x"];
  return {
    ...base("fresh-start", 2),
    isKnown: false,
    // Setup tokens may not ask the usage endpoint.
    pollMs: null,
    accounts: tiers.map((tier, index) =>
      plan(`${"abcd"[index]}-${tier}`, tier, {
        weekEndsIn: random.uniform(50, 150),
        weekUsed: [1, 0.93, 0.3, 0.5][index] ?? 0,
      })
    ),
    sessions: [0, 1].flatMap((day) =>
      fleetBurst(random, {
        name: `d${day}`,
        at: day * 24 + 9,
        count: 30,
        hours: 1,
      })
    ),
  };
}

function backlog(seed: number): Workload {
  const random = new Random(seed);
  const tiers: Tier[] = [
    "max_20x",
    "max_20x",
    "max_5x",
    "max_5x",
    "max_5x",
    "max_5x",
  ];
  return {
    ...base("backlog", 3),
    accounts: paced(random, tiers),
    sessions: Array.from({ length: 60 }, (_, index) =>
      job(random, {
        id: `job${index}`,
        startsAt: atHour(random.uniform(0, 0.5)),
        deadline: null,
        requests: random.whole(350, 1_050),
      })),
  };
}

function smallPlans(seed: number): Workload {
  const random = new Random(seed);
  return {
    ...base("small-plans", 5),
    accounts: paced(random, ["pro", "pro", "pro", "pro", "pro"]),
    sessions: developers(random, { count: 3, days: 5 }),
  };
}

/**
 * On the second day, while people wait, the provider gives everybody a new week
 * that was announced for days later.
 */
function earlyResets(seed: number): Workload {
  const random = new Random(seed);
  const early = random.uniform(34, 38);
  return {
    ...base("early-resets", 5),
    accounts: [0, 1, 2].map((index) =>
      plan("abc"[index] ?? "x", "max_5x", {
        weekEndsIn: random.uniform(100, 160),
        weekUsed: random.uniform(0.85, 0.97),
        earlyResetAt: atHour(early),
      })
    ),
    sessions: developers(random, { count: 3, days: 5 }),
  };
}

function longCache(seed: number): Workload {
  const random = new Random(seed);
  return {
    ...base("long-cache", 5),
    cacheTtlMs: 3_600_000,
    accounts: paced(random, ["max_5x", "max_5x", "max_5x"]),
    sessions: developers(random, { count: 4, days: 5 }),
  };
}

/** The workloads of the comparison by name. */
export const SCENARIOS: Readonly<Record<string, (seed: number) => Workload>> = {
  "solo": solo,
  "heavy": heavy,
  "fleet": fleet,
  "near-reset": nearReset,
  "nearly-spent": nearlySpent,
  "mixed-tiers": mixed,
  "paid-key": paidKey,
  "small-plans": smallPlans,
  "long-cache": longCache,
  "early-resets": earlyResets,
  "fresh-start": fresh,
  "backlog": backlog,
  ...POOLS,
};

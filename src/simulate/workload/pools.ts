/**
 * Workloads of pools that people really have: few accounts, unlike plans, teams,
 * nights.
 *
 * @module
 */

import { DAY_MS, instantFromMs } from "../../core/time.ts";
import { Random } from "../random.ts";
import { DEVELOPER, job, type Manner, sitting } from "./people.ts";
import { atHour, MONDAY, paced, plan, WEEK_HOURS } from "./plans.ts";
import {
  HEAD_MS,
  type PlannedAccount,
  type PlannedSession,
  SHARED_TOKENS,
  type Workload,
} from "./workload.ts";

/** How often the server asks the usage endpoint, by the config's default. */
const POLL_MS = 600_000;

/** Returns a workload of that name and length with the usual rules. */
export function base(
  name: string,
  days: number,
): Omit<Workload, "accounts" | "sessions"> {
  return {
    name,
    startsAt: MONDAY,
    endsAt: instantFromMs(MONDAY + days * DAY_MS),
    cacheTtlMs: 300_000,
    cacheReadWeight: 0.1,
    cacheTurnsBack: null,
    headMs: HEAD_MS,
    sharedTokens: SHARED_TOKENS,
    storms: [],
    isKnown: true,
    pollMs: POLL_MS,
    speaksLimits: true,
  };
}

/** Returns workdays of `count` terminals, for `days` days from Monday on. */
function workdays(
  random: Random,
  { count, days, hours, manner }: {
    readonly count: number;
    readonly days: number;
    readonly hours: number;
    readonly manner: Manner;
  },
): PlannedSession[] {
  const sessions: PlannedSession[] = [];
  for (let day = 0; day < days; day++) {
    const isWeekend = day % 7 >= 5;
    if (isWeekend && !random.chance(0.35)) continue;
    for (let seat = 0; seat < count; seat++) {
      const start = day * 24 + 9 + random.uniform(-0.5, 1);
      sessions.push(sitting(random, {
        id: `d${day}s${seat}`,
        startsAt: atHour(start),
        hours: hours * (isWeekend ? 0.5 : 1) * random.uniform(0.85, 1.1),
        manner,
      }));
    }
  }
  return sessions;
}

/** Returns nine hours a day of work by people. */
export function developers(
  random: Random,
  seats: { readonly count: number; readonly days: number },
): PlannedSession[] {
  return workdays(random, { ...seats, hours: 9, manner: DEVELOPER });
}

/** A person who sends sub-agents out with every third prompt. */
const DELEGATOR: Manner = { ...DEVELOPER, agentShare: 0.35 };

/** A person who reads for nine minutes before most prompts. */
const SLOW: Manner = { ...DEVELOPER, thinkMedianMs: 540_000, thinkSigma: 0.6 };

const DAYS = 5;

type Draw = (seed: number) => Workload;

/** Returns a workload of five days. */
function drawn(
  name: string,
  parts: (random: Random) => {
    readonly accounts: readonly PlannedAccount[];
    readonly sessions: readonly PlannedSession[];
  },
): Draw {
  return (seed) => ({ ...base(name, DAYS), ...parts(new Random(seed)) });
}

const pairOfMax = drawn("max-pair-agents", (random) => ({
  accounts: paced(random, ["max_5x", "max_5x"]),
  sessions: workdays(random, {
    count: 1,
    days: DAYS,
    hours: 9,
    manner: DELEGATOR,
  }),
}));

const maxAndPro = drawn("max-and-pro", (random) => ({
  accounts: paced(random, ["max_5x", "pro"]),
  sessions: developers(random, { count: 1, days: DAYS }),
}));

const longPauses = drawn("long-pauses", (random) => ({
  accounts: paced(random, ["max_5x", "max_5x", "max_5x", "pro", "pro"]),
  sessions: workdays(random, { count: 8, days: DAYS, hours: 9, manner: SLOW }),
}));

const teamKey = drawn("team-key", (random) => ({
  accounts: [
    ...paced(random, ["max_20x"]),
    plan("k-key", "unknown", {
      kind: "api_key",
      weekEndsIn: WEEK_HOURS,
      concurrency: 1_000,
      perMinute: 10_000,
    }),
  ],
  sessions: developers(random, { count: 4, days: DAYS }),
}));

/** The weeks end at three in the night, one after the other. */
const nightResets = drawn("night-resets", (random) => ({
  accounts: [1, 2, 3].map((night) =>
    plan("abcd"[night - 1] ?? "x", "max_5x", {
      weekEndsIn: 24 * night + 3,
      weekUsed: random.uniform(0.6, 0.95),
    })
  ),
  sessions: developers(random, { count: 3, days: DAYS }),
}));

const oneAccount = drawn("one-account", (random) => ({
  accounts: paced(random, ["max_5x"]),
  sessions: developers(random, { count: 1, days: DAYS }),
}));

const threePro = drawn("three-pro", (random) => ({
  accounts: paced(random, ["pro", "pro", "pro"]),
  sessions: developers(random, { count: 1, days: DAYS }),
}));

/** One person by day, and ten agents from ten in the evening on. */
const nightAgents = drawn("night-agents", (random) => ({
  accounts: paced(random, ["max_20x", "max_5x"]),
  sessions: [
    ...developers(random, { count: 1, days: DAYS }),
    ...Array.from(
      { length: DAYS },
      (_, day) =>
        Array.from({ length: 10 }, (_, index) =>
          job(random, {
            id: `n${day}a${index}`,
            startsAt: atHour(day * 24 + 22 + random.uniform(0, 0.2)),
            deadline: atHour(day * 24 + 32),
            requests: random.whole(80, 250),
          })),
    ).flat(),
  ],
}));

const office = drawn("office-of-30", (random) => ({
  accounts: paced(random, Array(6).fill("max_20x")),
  sessions: developers(random, { count: 30, days: DAYS }),
}));

/** The workloads by name. */
export const POOLS: Readonly<Record<string, Draw>> = {
  "one-account": oneAccount,
  "three-pro": threePro,
  "max-and-pro": maxAndPro,
  "max-pair-agents": pairOfMax,
  "long-pauses": longPauses,
  "team-key": teamKey,
  "night-resets": nightResets,
  "night-agents": nightAgents,
  "office-of-30": office,
};

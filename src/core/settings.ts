/**
 * The settings of routing in one table: what the config file may say under
 * `routing`, with defaults, ranges and help. The config file, `tc config`, the
 * man page and the docs take them from here.
 *
 * @module
 */

import { ROUTE_CONSTANTS, type RouteConstants } from "./constants.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "./time.ts";

interface NumberKnob {
  readonly kind: "number";
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly help: string;
}

interface ChoiceKnob<T extends string = string> {
  readonly kind: "choice";
  readonly default: T;
  readonly values: readonly T[];
  readonly help: string;
}

interface SwitchKnob {
  readonly kind: "switch";
  readonly default: boolean;
  readonly help: string;
}

export type Knob = NumberKnob | ChoiceKnob | SwitchKnob;

/** Returns a setting that is a number from `min` to `max`, both allowed. */
export function number(
  value: number,
  [min, max]: readonly [min: number, max: number],
  help: string,
): NumberKnob {
  return { kind: "number", default: value, min, max, help };
}

export function choice<T extends string>(
  value: T,
  values: readonly T[],
  help: string,
): ChoiceKnob<T> {
  return { kind: "choice", default: value, values, help };
}

function toggle(value: boolean, help: string): SwitchKnob {
  return { kind: "switch", default: value, help };
}

type ValueOf<K> = K extends ChoiceKnob<infer T> ? T
  : K extends NumberKnob ? number
  : boolean;

/** The values of a table of settings, by name. */
type ValuesOf<Table> = {
  readonly [Name in keyof Table]: ValueOf<Table[Name]>;
};

export type PolicyName =
  | "price"
  | "pace"
  | "balance"
  | "cache-first"
  | "least-used"
  | "scored";

export const POLICY_NAMES: readonly PolicyName[] = [
  "price",
  "pace",
  "balance",
  "cache-first",
  "least-used",
  "scored",
];

/** How far ahead of need idle five-hour windows are opened. */
export type OpenWindows = "passive" | "scheduled" | "off";

/** A learned limit that the user may switch off; `auto` leaves it to the policy. */
type LayerSwitch = "auto" | "on" | "off";

function layer(help: string): ReturnType<typeof choice<LayerSwitch>> {
  return choice<LayerSwitch>("auto", ["auto", "on", "off"], help);
}

/** Every setting of routing by its name. */
export const ROUTE_KNOBS = {
  policy: choice<PolicyName>(
    "price",
    POLICY_NAMES,
    "How an account is chosen",
  ),
  planLimitsOnly: toggle(
    false,
    "Never use paid extra usage: an account whose plan is spent is closed",
  ),
  openWindows: choice<OpenWindows>(
    "passive",
    ["passive", "scheduled", "off"],
    "Start idle five-hour clocks: with small real requests, by a schedule of own requests, or never",
  ),
  keyAfterMs: number(
    120 * SECOND_MS,
    [0, DAY_MS],
    "API keys are used when no subscription can serve within this time",
  ),
  parking: number(
    24,
    [0, 10_000],
    "Conversations from which on cold ones may be told to come back later; 0 is never",
  ),
  parkedMaxMs: number(
    4 * HOUR_MS,
    [0, DAY_MS],
    "Time after which a parked conversation goes in by steps, and after twice that at once",
  ),
  warmWaitMaxMs: number(
    120 * SECOND_MS,
    [0, HOUR_MS],
    "Longest wait for the account that holds the prompt cache",
  ),
  fullWaitMaxMs: number(
    20 * SECOND_MS,
    [0, HOUR_MS],
    "Wait for a free place before a limit that was only learned is passed, one by one",
  ),
  concurrencyStart: number(
    10,
    [1, 64],
    "Requests in flight per account before anything was learned",
  ),
  concurrencyGate: layer(
    "Limit on requests in flight per account, learned from its throttling",
  ),
  perMinuteGate: layer(
    "Limit on starts per minute per account, learned from its throttling",
  ),
  sweepMs: number(
    15 * SECOND_MS,
    [SECOND_MS, HOUR_MS],
    "When all is closed, shortest time from one trial to the next in the pool",
  ),
  probeMs: number(
    60 * SECOND_MS,
    [SECOND_MS, DAY_MS],
    "When all is closed, shortest time until a refused account is tried again; after a round it doubles",
  ),
  probeMaxMs: number(10 * MINUTE_MS, [SECOND_MS, DAY_MS], "Longest such time"),
  cacheReadWeight: number(
    0.1,
    [0, 1],
    "What a token read from cache counts in the quota, against a fresh one",
  ),
} as const;

export type RouteSettings =
  & ValuesOf<typeof ROUTE_KNOBS>
  & { readonly [Name in keyof RouteConstants]: number };

/** The settings of a config that says nothing. */
export const DEFAULT_ROUTE_SETTINGS: RouteSettings = {
  ...ROUTE_CONSTANTS,
  ...Object.fromEntries(
    Object.entries(ROUTE_KNOBS).map(([name, knob]) => [name, knob.default]),
    // The entries come from the table that the type is made of.
  ) as unknown as ValuesOf<typeof ROUTE_KNOBS>,
};

/**
 * The parts that a policy may use: one request at a time on an account that is
 * on trial; no newcomer on one that is nearly spent; learned limits on requests
 * in flight and on starts per minute; a limit on warm conversations; growing
 * pauses after unexplained throttles; steps when an account takes over from a
 * closed one; parking.
 */
type LayerName =
  | "probeGate"
  | "tailGate"
  | "concurrencyGate"
  | "perMinuteGate"
  | "sessionCap"
  | "throttleLadder"
  | "stormRamp"
  | "parkingGate";

export type Layers = Readonly<Record<LayerName, boolean>>;

const NONE: Layers = {
  probeGate: false,
  tailGate: false,
  concurrencyGate: false,
  perMinuteGate: false,
  sessionCap: false,
  throttleLadder: false,
  stormRamp: false,
  parkingGate: false,
};

/**
 * The layers of each policy. A seed's policy has the gates that its own program
 * has, so a comparison is fair.
 */
const OWN: Readonly<Record<PolicyName, Layers>> = {
  price: {
    ...NONE,
    probeGate: true,
    tailGate: true,
    concurrencyGate: true,
    perMinuteGate: true,
    stormRamp: true,
    parkingGate: true,
  },
  pace: {
    ...NONE,
    probeGate: true,
    concurrencyGate: true,
    sessionCap: true,
    throttleLadder: true,
  },
  balance: { ...NONE, concurrencyGate: true },
  "cache-first": NONE,
  "least-used": NONE,
  scored: NONE,
};

function decided(wish: LayerSwitch, own: boolean): boolean {
  return wish === "auto" ? own : wish === "on";
}

/** Returns the layers of the policy, with what the user switched. */
export function layersOf(settings: RouteSettings): Layers {
  const own = OWN[settings.policy];
  return {
    ...own,
    concurrencyGate: decided(settings.concurrencyGate, own.concurrencyGate),
    perMinuteGate: decided(settings.perMinuteGate, own.perMinuteGate),
  };
}

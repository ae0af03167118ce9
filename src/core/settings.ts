/**
 * The settings of routing in one table: what the config file may say under
 * `routing`, with defaults, ranges and help. The config file, `tc config`, the
 * man page and the docs take them from here.
 *
 * @module
 */

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

/**
 * A layer is a part that any policy may use; `auto` leaves it to the policy.
 */
type LayerSwitch = "auto" | "on" | "off";

function layer(help: string): ReturnType<typeof choice<LayerSwitch>> {
  return choice<LayerSwitch>("auto", ["auto", "on", "off"], help);
}

const LAYER_KNOBS = {
  probeGate: layer(
    "One request at a time on an account that has not answered since it was unknown or closed",
  ),
  tailGate: layer(
    "No new conversation joins others on an account whose window is nearly spent",
  ),
  concurrencyGate: layer(
    "Limit on requests in flight per account, learned from its throttling",
  ),
  perMinuteGate: layer(
    "Limit on starts per minute per account, learned from its throttling",
  ),
  sessionCap: layer("Limit on warm conversations per account"),
  throttleLadder: layer(
    "Growing pauses for an account that throttles without saying how long",
  ),
  stormRamp: layer(
    "Admit work by steps on accounts that take over from a closed one",
  ),
  parkingGate: layer(
    "Let cold conversations wait when the quota cannot feed all of them",
  ),
} as const;

const GATE_KNOBS = {
  parking: number(
    24,
    [0, 10_000],
    "Conversations from which on cold ones may be parked; 0 is never",
  ),
  parkingLoad: number(
    0.9,
    [0.5, 10],
    "Projected spend of a window, where 1 is all of it, up to which it takes a cold conversation",
  ),
  parkingLoadMin: number(
    0.35,
    [0.1, 10],
    "The same with twice as many conversations as parking starts at",
  ),
  parkedMaxMs: number(4 * HOUR_MS, [0, DAY_MS], "Longest time parked"),
  concurrencyStart: number(
    10,
    [1, 64],
    "Requests in flight per account before anything was learned",
  ),
  concurrencyMax: number(64, [1, 1_000], "Requests in flight per account"),
  tailUtilization: number(
    0.95,
    [0.5, 1],
    "Spent part of a window from which the tail gate holds",
  ),
  sessionsMax: number(
    7,
    [1, 1_000],
    "Warm conversations per account, where the session cap is used",
  ),
  fullWaitMaxMs: number(
    20 * SECOND_MS,
    [0, HOUR_MS],
    "Wait for a free place before a limit that was only learned is passed, one by one",
  ),
  warmWaitMaxMs: number(
    120 * SECOND_MS,
    [0, HOUR_MS],
    "Longest wait for the account that holds the prompt cache",
  ),
  warmWaitTokensPerSecond: number(
    1_000,
    [1, 1_000_000],
    "Cached tokens that are worth a second of waiting",
  ),
  ladderStartMs: number(
    60 * SECOND_MS,
    [0, HOUR_MS],
    "First rung of the ladder",
  ),
  ladderFactor: number(4, [1, 100], "Growth of the ladder from rung to rung"),
  ladderMaxMs: number(15 * MINUTE_MS, [0, DAY_MS], "Last rung of the ladder"),
  rampStepMs: number(
    250,
    [0, MINUTE_MS],
    "Time per request admitted while the storm ramp holds",
  ),
  rampWindowMs: number(30 * SECOND_MS, [0, HOUR_MS], "How long the ramp holds"),
} as const;

const QUOTA_KNOBS = {
  keyAfterMs: number(
    120 * SECOND_MS,
    [0, DAY_MS],
    "API keys are used when no subscription can serve within this time",
  ),
  cacheReadWeight: number(
    0.1,
    [0, 1],
    "What a token read from cache counts in the quota, against a fresh one",
  ),
  sharedPrefixTokens: number(
    20_000,
    [0, 1_000_000],
    "Tokens of tools and system prompt that conversations have in common",
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
  retryShare: number(
    0.2,
    [0, 10],
    "Repeated sends allowed per request when the provider fails or is overloaded",
  ),
  retriesPerSecond: number(
    5,
    [0, 1_000],
    "Repeated sends allowed per second where that is more than the share",
  ),
  bindingIdleMs: number(
    30 * MINUTE_MS,
    [MINUTE_MS, 30 * DAY_MS],
    "A conversation is forgotten after this time, once its cache is cold",
  ),
  bindingsMax: number(2_000, [1, 100_000], "Conversations remembered"),
} as const;

const PACE_KNOBS = {
  paceSwitchThreshold: number(
    0.98,
    [0, 1],
    "pace: an account is closed from here on",
  ),
  paceSoftCeiling: number(
    0.9,
    [0, 1],
    "pace: no new load from this five-hour figure on",
  ),
  paceWarnCeiling: number(
    0.75,
    [0, 1],
    "pace: one request at a time from here on",
  ),
  paceInFlightMax: number(
    5,
    [1, 1_000],
    "pace: requests in flight per account",
  ),
  paceTieBand: number(0.1, [0, 10], "pace: scores this close are equal"),
  paceFarOverLine: number(
    0.1,
    [0, 10],
    "pace: a warm session leaves an account this far over its weekly line",
  ),
  paceWarmMs: number(
    300 * SECOND_MS,
    [0, DAY_MS],
    "pace: how long a session is warm",
  ),
} as const;

const OTHER_POLICY_KNOBS = {
  balanceBench: number(
    0.9,
    [0, 1],
    "balance: five-hour figure from which an account is left alone",
  ),
  balanceSoft: number(0.65, [0, 1], "balance: weekly tier soft from here on"),
  balanceReserve: number(0.85, [0, 1], "balance: weekly tier reserve"),
  balanceCritical: number(0.95, [0, 1], "balance: weekly tier critical"),
  balanceExhausted: number(0.999, [0, 1], "balance: weekly tier exhausted"),
  cacheFirstArm: number(
    0.98,
    [0, 1],
    "cache-first: from here on the next compaction moves the conversation",
  ),
  cacheFirstCeiling: number(
    0.995,
    [0, 1],
    "cache-first: an account is left here",
  ),
  leastUsedThreshold: number(
    0.8,
    [0, 1],
    "least-used: the account is kept below this figure",
  ),
  softConcurrency: number(
    3,
    [1, 1_000],
    "Sessions per live account that the headroom of tc capacity counts with",
  ),
  capacitySoftCeiling: number(
    0.75,
    [0, 1],
    "Part of the learned capacity from which an account counts as near its cap",
  ),
} as const;

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
  ...LAYER_KNOBS,
  ...GATE_KNOBS,
  ...QUOTA_KNOBS,
  ...PACE_KNOBS,
  ...OTHER_POLICY_KNOBS,
} as const;

export type RouteSettings = ValuesOf<typeof ROUTE_KNOBS>;

/** The settings of a config that says nothing. */
export const DEFAULT_ROUTE_SETTINGS: RouteSettings = Object.fromEntries(
  Object.entries(ROUTE_KNOBS).map(([name, knob]) => [name, knob.default]),
  // The entries come from the table that the type is made of.
) as unknown as RouteSettings;

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

/** The layers of each policy while the user leaves them on `auto`. */
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

export function layersOf(settings: RouteSettings): Layers {
  const own = OWN[settings.policy];
  return {
    probeGate: decided(settings.probeGate, own.probeGate),
    tailGate: decided(settings.tailGate, own.tailGate),
    concurrencyGate: decided(settings.concurrencyGate, own.concurrencyGate),
    perMinuteGate: decided(settings.perMinuteGate, own.perMinuteGate),
    sessionCap: decided(settings.sessionCap, own.sessionCap),
    throttleLadder: decided(settings.throttleLadder, own.throttleLadder),
    stormRamp: decided(settings.stormRamp, own.stormRamp),
    parkingGate: decided(settings.parkingGate, own.parkingGate),
  };
}

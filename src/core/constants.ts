/**
 * The numbers of routing that nobody has to set, each with its reason. They were
 * settings once. Research and tests may vary them; the config cannot.
 *
 * @module
 */

import { MINUTE_MS, SECOND_MS } from "./time.ts";

export const ROUTE_CONSTANTS = {
  /**
   * Part of what a window has left that is promised to conversations, at the
   * number from which parking begins and at twice that. Chosen on odd seeds of
   * `backlog` and `fleet`: more is rebuilt with more, and quota expires with
   * less.
   */
  parkingLoad: 0.9,
  parkingLoadMin: 0.35,
  /** No provider was seen to take more requests at once on one account. */
  concurrencyMax: 64,
  /** One more request may overshoot a window, and two per cent of it are left. */
  tailUtilization: 0.95,
  /** `pace` has this cap in the program that it comes from. */
  sessionsMax: 7,
  /** A cache of this size is written in a second, so it is worth one. */
  warmWaitTokensPerSecond: 1_000,
  /** The ladder of `pace`: one minute, four, fifteen. */
  ladderStartMs: MINUTE_MS,
  ladderFactor: 4,
  ladderMaxMs: 15 * MINUTE_MS,
  /** A request in a quarter of a second for half a minute admits all of a fleet. */
  rampStepMs: 250,
  rampWindowMs: 30 * SECOND_MS,
  /** Claude Code's tools and system prompt (claude-code-client 2). */
  sharedPrefixTokens: 20_000,
  /** Retries that a provider in trouble can bear, by gRPC's rule for budgets. */
  retryShare: 0.2,
  retriesPerSecond: 5,
  /** A pause for lunch keeps a conversation; memory is bounded. */
  bindingIdleMs: 30 * MINUTE_MS,
  bindingsMax: 2_000,
  /** `pace`, as the teamclaude fork has it. */
  paceSwitchThreshold: 0.98,
  paceSoftCeiling: 0.9,
  paceWarnCeiling: 0.75,
  paceInFlightMax: 5,
  paceTieBand: 0.1,
  paceFarOverLine: 0.1,
  paceWarmMs: 300 * SECOND_MS,
  /** `balance`, as maxpool has it. */
  balanceBench: 0.9,
  balanceSoft: 0.65,
  balanceReserve: 0.85,
  balanceCritical: 0.95,
  balanceExhausted: 0.999,
  /** `cache-first`, as nextclaude has it. */
  cacheFirstArm: 0.98,
  cacheFirstCeiling: 0.995,
  /** `least-used`, as claude-pool has it; `tc swap auto --threshold` sets it. */
  leastUsedThreshold: 0.8,
  /** What `tc capacity` counts with: sessions that a live account carries. */
  softConcurrency: 3,
  capacitySoftCeiling: 0.75,
} as const;

export type RouteConstants = typeof ROUTE_CONSTANTS;

/**
 * The names under `routing` that were settings once. They are constants now, or
 * switches that each policy sets for itself.
 */
export const RETIRED_ROUTE_SETTINGS: readonly string[] = [
  ...Object.keys(ROUTE_CONSTANTS),
  "probeGate",
  "tailGate",
  "sessionCap",
  "throttleLadder",
  "stormRamp",
  "parkingGate",
];

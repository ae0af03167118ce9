/**
 * The true quota of one demo subscription, which only the fake provider knows.
 *
 * @module
 */

import type { ModelFamily } from "../../core/account.ts";
import type { WindowKey } from "../../core/quota/quota.ts";
import {
  after,
  type Instant,
  instantFromMs,
  SECOND_MS,
} from "../../core/time.ts";
import type { TokenUsage } from "../../core/usage.ts";
import type { WindowPlan } from "./plans.ts";

/** How much each kind of token takes from a window. */
export interface UnitWeights {
  /** The weight of a cache read is not public; claims range from 0 to 1. */
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
}

export const UNIT_WEIGHTS: UnitWeights = {
  cacheRead: 0.1,
  cacheWrite5m: 1.25,
  cacheWrite1h: 2,
  output: 5,
};

/** Returns the quota units that `usage` takes. */
export function quotaUnits(usage: TokenUsage, weights: UnitWeights): number {
  return usage.input + weights.cacheRead * usage.cacheRead +
    weights.cacheWrite5m * usage.cacheWrite5m +
    weights.cacheWrite1h * usage.cacheWrite1h + weights.output * usage.output;
}

/** One window in its true state. */
export interface TrueWindow extends WindowPlan {
  readonly usedUnits: number;
  /** Null while it is not open. */
  readonly resetsAt: Instant | null;
}

export function utilization(window: TrueWindow): number {
  return window.usedUnits / window.units;
}

function isSpent(window: TrueWindow): boolean {
  return window.usedUnits >= window.units;
}

/** The provider states resets in whole seconds. */
function wholeSecond(at: Instant): Instant {
  return instantFromMs(Math.ceil(at / SECOND_MS) * SECOND_MS);
}

export class TrueQuota {
  #windows: readonly TrueWindow[];

  constructor(plans: readonly WindowPlan[], startedAt: Instant) {
    this.#windows = plans.map((plan) => ({
      ...plan,
      usedUnits: 0,
      resetsAt: plan.hasFixedReset
        ? wholeSecond(after(startedAt, plan.lengthMs))
        : null,
    }));
  }

  /** Returns all windows at `now`; those past their reset are unused again. */
  windows(now: Instant): readonly TrueWindow[] {
    this.#windows = this.#windows.map((window) => rolled(window, now));
    return this.#windows;
  }

  /**
   * Returns the spent window that bars a request for `family`, the one with the
   * latest reset.
   */
  spentWindow(family: ModelFamily, now: Instant): TrueWindow | null {
    const spent = this.windows(now).filter((window) =>
      isSpent(window) && concerns(window, family)
    );
    return spent.reduce<TrueWindow | null>(
      (latest, window) =>
        latest === null || (window.resetsAt ?? 0) > (latest.resetsAt ?? 0)
          ? window
          : latest,
      null,
    );
  }

  /** Opens the windows that a first use opens. */
  open(family: ModelFamily, now: Instant): void {
    this.#change(
      now,
      (window) =>
        concerns(window, family) && window.resetsAt === null
          ? opened(window, now)
          : window,
    );
  }

  /** Takes `units` from every window that a request for `family` counts in. */
  charge(units: number, family: ModelFamily, now: Instant): void {
    this.#change(
      now,
      (window) =>
        concerns(window, family)
          ? { ...window, usedUnits: window.usedUnits + units }
          : window,
    );
  }

  /** Sets the utilization of the named windows and opens them if needed. */
  set(values: Readonly<Record<WindowKey, number>>, now: Instant): void {
    for (const [key, value] of Object.entries(values)) {
      this.#changeOne(key, now, (window) => ({
        ...opened(window, now),
        usedUnits: value * window.units,
      }));
    }
  }

  /** Makes the named window reset `ms` from now. */
  resetIn(key: WindowKey, ms: number, now: Instant): void {
    this.#changeOne(key, now, (window) => ({
      ...window,
      resetsAt: wholeSecond(after(now, ms)),
    }));
  }

  #changeOne(
    key: WindowKey,
    now: Instant,
    change: (window: TrueWindow) => TrueWindow,
  ): void {
    if (!this.#windows.some((window) => window.key === key)) {
      const known = this.#windows.map((window) => window.key).join(", ");
      throw new RangeError(
        `Cannot find the demo window "${key}": there are ${known}`,
      );
    }
    this.#change(now, (window) => window.key === key ? change(window) : window);
  }

  #change(now: Instant, change: (window: TrueWindow) => TrueWindow): void {
    this.#windows = this.windows(now).map(change);
  }
}

function concerns(window: TrueWindow, family: ModelFamily): boolean {
  return window.family === null || window.family === family;
}

function opened(window: TrueWindow, now: Instant): TrueWindow {
  return window.resetsAt === null
    ? { ...window, resetsAt: wholeSecond(after(now, window.lengthMs)) }
    : window;
}

function rolled(window: TrueWindow, now: Instant): TrueWindow {
  if (window.resetsAt === null || now < window.resetsAt) return window;
  if (!window.hasFixedReset) return { ...window, usedUnits: 0, resetsAt: null };
  const past = Math.floor((now - window.resetsAt) / window.lengthMs) + 1;
  return {
    ...window,
    usedUnits: 0,
    resetsAt: after(window.resetsAt, past * window.lengthMs),
  };
}

/**
 * Prices requests by the prices in use, and says when a day, week or month of a
 * limit in dollars begins and ends on this machine.
 *
 * @module
 */

import { periodEnd, periodStart, type Zone } from "../core/calendar.ts";
import {
  costNanodollars,
  costNanodollarsMax,
  type PriceBook,
  type PricedAnswer,
} from "../core/pricing.ts";
import type { PeriodEnds } from "../core/quota/spending.ts";
import type { Instant } from "../core/time.ts";
import type { TokenUsage } from "../core/usage.ts";
import type { Clock, PricedRequest, Prices } from "../ports.ts";

interface PriceDeskOptions {
  readonly prices: PriceBook;
  readonly zone: Zone;
  readonly clock: Clock;
}

export class PriceDesk implements Prices {
  readonly #zone: Zone;
  readonly #clock: Clock;
  #prices: PriceBook;

  constructor({ prices, zone, clock }: PriceDeskOptions) {
    this.#prices = prices;
    this.#zone = zone;
    this.#clock = clock;
  }

  /** Uses `prices` from now on. */
  use(prices: PriceBook): void {
    this.#prices = prices;
  }

  cost(usage: TokenUsage, answer: PricedAnswer): number | null {
    return costNanodollars(usage, answer, this.#prices);
  }

  costMax(request: PricedRequest): number | null {
    const at = this.#clock.now();
    return costNanodollarsMax({ ...request, at }, this.#prices);
  }

  periodEnds(): PeriodEnds {
    const at = this.#clock.now();
    return {
      day: periodEnd(at, "day", this.#zone),
      week: periodEnd(at, "week", this.#zone),
      month: periodEnd(at, "month", this.#zone),
    };
  }

  /** Returns the start of the current day, week and month. */
  periodStarts(): Readonly<Record<keyof PeriodEnds, Instant>> {
    const at = this.#clock.now();
    return {
      day: periodStart(at, "day", this.#zone),
      week: periodStart(at, "week", this.#zone),
      month: periodStart(at, "month", this.#zone),
    };
  }
}

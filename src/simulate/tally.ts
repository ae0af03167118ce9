/**
 * Counts what happens while a workload is played.
 *
 * @module
 */

/** The outcome of one workload under one policy. Tokens are quota tokens. */
export interface Score {
  /**
   * Useful work that subscriptions served, and useful work that paid keys
   * served.
   */
  readonly usefulTokens: number;
  readonly paidTokens: number;
  /** Quota really spent, rebuilds included. */
  readonly burntTokens: number;
  /** Share of the spending beyond useful work. */
  readonly rebuildShare: number;
  readonly requests: number;
  readonly sessions: number;
  /**
   * Sum of the waits from a request's arrival to the start of its served
   * attempt.
   */
  readonly stalledHours: number;
  /** Requests that waited longer than a minute. */
  readonly longWaits: number;
  /** The longest wait of a request that was served. */
  readonly longestHours: number;
  /** Answers that told a client when to come again. */
  readonly limitAnswers: number;
  /** Quota tokens spent again because a conversation changed its account. */
  readonly movedTokens: number;
  /**
   * Quota tokens spent again because a cache expired while its request waited.
   */
  readonly expiredTokens: number;
  /** 429s that the provider sent, and those among them that named no window. */
  readonly refusals: number;
  readonly throttles: number;
  /** Answers 529 that the provider sent, and all sends. */
  readonly overloads: number;
  readonly sends: number;
  /** Failures that reached the client. */
  readonly clientErrors: number;
  readonly switchesPerSession: number;
  /** Weekly quota that expired while work was left undone. */
  readonly strandedTokens: number;
  readonly dollars: number;
  /**
   * Hours until this part of the useful work was done; null if it never was.
   */
  readonly hoursToHalf: number | null;
  readonly hoursToNinety: number | null;
  readonly accounts: readonly AccountScore[];
}

export interface AccountScore {
  readonly name: string;
  readonly requests: number;
  readonly refusals: number;
  readonly burntTokens: number;
}

export const DOLLARS_PER_TOKEN = 5 / 1_000_000;

/** Counts as things happen. */
export class Tally {
  useful = 0;
  paid = 0;
  rebuilt = 0;
  burnt = 0;
  requests = 0;
  stalledMs = 0;
  longWaits = 0;
  longestMs = 0;
  limitAnswers = 0;
  moved = 0;
  lapsed = 0;
  refusals = 0;
  throttles = 0;
  overloads = 0;
  sends = 0;
  clientErrors = 0;
  switches = 0;
  /** Useful work by the hour of its start. */
  readonly byHour: number[] = [];

  serve(tokens: number, hour: number): void {
    this.byHour[hour] = (this.byHour[hour] ?? 0) + tokens;
  }

  /**
   * Returns the hours until `share` of `total` was served; null if it never
   * was.
   */
  hoursTo(share: number, total: number): number | null {
    let sum = 0;
    for (let hour = 0; hour < this.byHour.length; hour++) {
      sum += this.byHour[hour] ?? 0;
      if (sum >= share * total) return hour + 1;
    }
    return null;
  }
}

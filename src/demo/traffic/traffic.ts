/**
 * Simulated Claude Code sessions against a base URL: traffic for `tc demo` and
 * for load tests. Its user agent is our own.
 *
 * @module
 */

import type { Clock, HeaderList } from "../../ports.ts";
import { Dice } from "../dice.ts";
import { prefixOf, promptText } from "./traffic_body.ts";
import { TrafficClient } from "./traffic_client.ts";
import {
  SimulatedConversation,
  TrafficEnd,
  type TrafficWorld,
} from "./traffic_session.ts";
import { NO_USAGE, type TokenUsage } from "../../core/usage.ts";
import { addUsage } from "../provider/records.ts";
import { MINUTE_MS, SECOND_MS } from "../../core/time.ts";

export interface TrafficOptions {
  /** Scheme, host, port, and a path if it has one. */
  readonly baseUrl: string;
  /** The credential, and any other lines; they replace ours of that name. */
  readonly headers?: HeaderList;
  readonly clock: Clock;
  readonly seed: string | number;
  readonly pace: PaceName;
  /** How many run side by side. */
  readonly sessions: number;
  /** Their ids; made up where there are too few. */
  readonly sessionIds?: readonly string[];
  /** Prompts of each session; without it they go on until stopped. */
  readonly promptsMax?: number;
  /** Requests of all sessions together. */
  readonly requestsMax?: number;
  readonly models?: readonly [string, ...string[]];
  /** How many tool calls a prompt asks for at most. */
  readonly toolsMax?: number;
  /** How often a tool call is a sub-agent. */
  readonly subagentChance?: number;
  /** How often the client leaves in the middle of a stream. */
  readonly leaveChance?: number;
  /** Size of system prompt and tools. */
  readonly prefixTokens?: number;
  readonly compactionTokens?: number;
  readonly retriesMax?: number;
  readonly ttl?: "5m" | "1h";
}

/** Traffic that runs. */
export interface Traffic {
  /** Resolves with the report when every session has ended. */
  readonly done: Promise<TrafficReport>;
  /** The sums so far. */
  report(): TrafficReport;
  /** Ends all sessions, requests on their way included. */
  stop(): Promise<TrafficReport>;
}

const MODELS = ["claude-opus-5-5", "claude-sonnet-5-5"] as const;
const TOOLS_MAX = 4;
const SUBAGENT_CHANCE = 0.1;
const PREFIX_TOKENS = 6_000;
const COMPACTION_TOKENS = 60_000;
const RETRIES_MAX = 10;

/** Starts the sessions; they end by themselves at their limits. */
export function simulateSessions(options: TrafficOptions): Traffic {
  const stop = new AbortController();
  const book = new TrafficBook();
  const client = new TrafficClient(options.baseUrl);
  const ttl = options.ttl ?? "1h";
  const prefixTokens = options.prefixTokens ?? PREFIX_TOKENS;
  const world: TrafficWorld = {
    client,
    book,
    clock: options.clock,
    pace: PACES[options.pace],
    signal: stop.signal,
    headers: options.headers ?? [],
    mainPrefix: prefixOf("main", prefixTokens, ttl),
    subagentPrefix: prefixOf("subagent", prefixTokens / 2, ttl),
    ttl,
    requestsMax: options.requestsMax ?? Infinity,
    retriesMax: options.retriesMax ?? RETRIES_MAX,
    compactionTokens: options.compactionTokens ?? COMPACTION_TOKENS,
    leaveChance: options.leaveChance ?? 0,
  };
  const dice = new Dice(options.seed);
  const sessions = Array.from(
    { length: options.sessions },
    (_, index) => runSession(world, options, dice.fork(index), index),
  );
  const done = Promise.all(sessions).then(() => book.report())
    .finally(() => client[Symbol.dispose]());
  return {
    done,
    report: () => book.report(),
    stop: () => {
      stop.abort(new TrafficEnd());
      return done;
    },
  };
}

async function runSession(
  world: TrafficWorld,
  options: TrafficOptions,
  dice: Dice,
  index: number,
): Promise<void> {
  const conversation = new SimulatedConversation(world, {
    session: options.sessionIds?.[index] ?? dice.uuid(),
    agent: null,
    parentAgent: null,
    device: dice.hex(64),
    model: dice.pick(options.models ?? MODELS),
  }, dice.fork("conversation"));
  const promptsMax = options.promptsMax ?? Infinity;
  try {
    for (let prompt = 0; prompt < promptsMax; prompt++) {
      const isFirst = prompt === 0;
      // The first prompts come one after the other, as people do.
      const waitMs = world.pace.thinkMs(dice) *
        (isFirst ? index / options.sessions : 1);
      await world.clock.sleep(waitMs, world.signal);
      world.book.count("prompts");
      const tools = dice.integer(0, options.toolsMax ?? TOOLS_MAX);
      const chance = options.subagentChance ?? SUBAGENT_CHANCE;
      await conversation.prompt(promptText(dice, tools, chance));
    }
  } catch (reason) {
    if (!(reason instanceof TrafficEnd)) throw reason;
  }
}

// What simulated sessions met: sums as a client sees them.

export interface TrafficReport {
  /** Requests sent, tries again included. */
  readonly requests: number;
  /** Streams that came to their `message_stop`. */
  readonly complete: number;
  /** Streams that ended or broke before it. */
  readonly broken: number;
  /** Streams with an `event: error`. */
  readonly errorEvents: number;
  /** Requests without any answer. */
  readonly unreachable: number;
  /** Streams that the client itself left. */
  readonly left: number;
  /** Sends after a first one of the same message. */
  readonly retries: number;
  /** Messages given up after the last retry. */
  readonly givenUp: number;
  readonly prompts: number;
  readonly toolCalls: number;
  readonly subagents: number;
  readonly compactions: number;
  readonly byStatus: Readonly<Record<number, number>>;
  readonly usage: TokenUsage;
  readonly bySession: Readonly<Record<string, TokenUsage>>;
}

type Counter =
  | "requests"
  | "complete"
  | "broken"
  | "errorEvents"
  | "unreachable"
  | "left"
  | "retries"
  | "givenUp"
  | "prompts"
  | "toolCalls"
  | "subagents"
  | "compactions";

/** Adds up while the traffic runs. */
export class TrafficBook {
  readonly #counts = new Map<Counter, number>();
  readonly #byStatus = new Map<number, number>();
  readonly #bySession = new Map<string, TokenUsage>();
  #usage = NO_USAGE;

  count(counter: Counter): void {
    this.#counts.set(counter, this.of(counter) + 1);
  }

  countStatus(status: number): void {
    this.#byStatus.set(status, (this.#byStatus.get(status) ?? 0) + 1);
  }

  addUsage(session: string, usage: TokenUsage): void {
    const known = this.#bySession.get(session) ?? NO_USAGE;
    this.#bySession.set(session, addUsage(known, usage));
    this.#usage = addUsage(this.#usage, usage);
  }

  of(counter: Counter): number {
    return this.#counts.get(counter) ?? 0;
  }

  report(): TrafficReport {
    return {
      requests: this.of("requests"),
      complete: this.of("complete"),
      broken: this.of("broken"),
      errorEvents: this.of("errorEvents"),
      unreachable: this.of("unreachable"),
      left: this.of("left"),
      retries: this.of("retries"),
      givenUp: this.of("givenUp"),
      prompts: this.of("prompts"),
      toolCalls: this.of("toolCalls"),
      subagents: this.of("subagents"),
      compactions: this.of("compactions"),
      byStatus: Object.fromEntries(this.#byStatus),
      usage: this.#usage,
      bySession: Object.fromEntries(this.#bySession),
    };
  }
}

// How fast simulated sessions go.

export type PaceName =
  /** A person who reads and thinks between prompts. */
  | "human"
  /** Agents that go on as soon as their tools are done. */
  | "fleet"
  /** No wait at all: for load tests. */
  | "instant";

/** Waits in milliseconds. */
export interface Pace {
  /** Between the end of a turn and the next prompt. */
  thinkMs(dice: Dice): number;
  /** What a tool takes. */
  toolMs(dice: Dice): number;
  /** Before try `retry` + 1, when the answer asked for so many seconds. */
  retryMs(retry: number, retryAfterSeconds: number): number;
}

const BACKOFF_MS = 500;
const BACKOFF_MS_MAX = 32 * SECOND_MS;
const INSTANT_RETRY_MS = 5;
const THINK_MS_MEDIAN = 8 * SECOND_MS;
const THINK_MS_MAX = 2 * MINUTE_MS;

/** The real client waits half a second, doubled each time, or what it is told. */
function patientRetryMs(retry: number, retryAfterSeconds: number): number {
  const backoffMs = Math.min(BACKOFF_MS * 2 ** retry, BACKOFF_MS_MAX);
  return Math.max(backoffMs, retryAfterSeconds * SECOND_MS);
}

const PACES: Readonly<Record<PaceName, Pace>> = {
  human: {
    // Log-normal: most pauses are short, some are long.
    thinkMs: (dice) =>
      Math.min(THINK_MS_MAX, THINK_MS_MEDIAN * Math.exp(0.8 * normal(dice))),
    toolMs: (dice) => dice.integer(300, 3_000),
    retryMs: patientRetryMs,
  },
  fleet: {
    thinkMs: (dice) => dice.integer(200, 1_500),
    toolMs: (dice) => dice.integer(100, 1_000),
    retryMs: patientRetryMs,
  },
  instant: {
    thinkMs: () => 0,
    toolMs: () => 0,
    retryMs: () => INSTANT_RETRY_MS,
  },
};

/** A standard normal throw (Box and Muller). */
function normal(dice: Dice): number {
  const radius = Math.sqrt(-2 * Math.log(1 - dice.random()));
  return radius * Math.cos(2 * Math.PI * dice.random());
}

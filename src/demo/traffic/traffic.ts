/**
 * Simulated Claude Code sessions against a base URL: traffic for `tc demo` and
 * for load tests. They send tc's own user agent.
 *
 * @module
 */

import type { Clock, HeaderList } from "../../ports.ts";
import { Dice } from "../dice.ts";
import { prefixOf, promptText } from "./traffic_body.ts";
import { TrafficClient } from "./traffic_client.ts";
import {
  type PaceName,
  PACES,
  SimulatedConversation,
  TrafficBook,
  TrafficEnd,
  type TrafficReport,
  type TrafficWorld,
} from "./traffic_session.ts";

export interface TrafficOptions {
  /** Scheme, host, port, and a path if it has one. */
  readonly baseUrl: string;
  /**
   * The credential and further lines; they replace default lines of the same
   * name.
   */
  readonly headers?: HeaderList;
  readonly clock: Clock;
  readonly seed: string | number;
  readonly pace: PaceName;
  /** How many run side by side. */
  readonly sessions: number;
  /** Their ids; missing ones are generated. */
  readonly sessionIds?: readonly string[];
  /** Prompts per session; without it sessions go on until stopped. */
  readonly promptsMax?: number;
  /** Limit on the requests of all sessions together. */
  readonly requestsMax?: number;
  readonly models?: readonly [string, ...string[]];
  /** Most tool calls that one prompt asks for. */
  readonly toolsMax?: number;
  /** Probability that a tool call is a sub-agent. */
  readonly subagentChance?: number;
  /** Probability that the client leaves in the middle of a stream. */
  readonly leaveChance?: number;
  /** Size of system prompt and tools. */
  readonly prefixTokens?: number;
  readonly compactionTokens?: number;
  readonly retriesMax?: number;
  readonly ttl?: "5m" | "1h";
}

/** Running traffic. */
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
      // The first prompts are spread out, as people's are.
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

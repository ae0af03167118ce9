/**
 * How people and their agents work with Claude Code, drawn from a seed.
 *
 * @module
 */

import type { ModelFamily } from "../../core/account.ts";
import type { Instant } from "../../core/time.ts";
import type { Random } from "../random.ts";
import {
  HEAD_MS,
  type PlannedConversation,
  type PlannedRequest,
  type PlannedSession,
} from "./workload.ts";

const HOUR_MS = 3_600_000;
const COMPACT_AT_TOKENS = 170_000;
const COMPACTED_TOKENS = 28_000;
const START_TOKENS = 24_000;
const TOKENS_PER_SECOND = 65;
const SIDE_TOKENS = 1_200;
const SIDE_OUTPUT_TOKENS = 20;

/** How one kind of person or agent works. */
export interface Manner {
  readonly thinkMedianMs: number;
  readonly thinkSigma: number;
  /** Share of prompts that start sub-agents. */
  readonly agentShare: number;
  /** Share of prompts with a side request, such as a title. */
  readonly sideShare: number;
  readonly family: ModelFamily;
}

export const DEVELOPER: Manner = {
  thinkMedianMs: 150_000,
  thinkSigma: 1.2,
  agentShare: 0.04,
  sideShare: 0.15,
  family: "opus",
};

/** An agent that nobody watches: it never pauses. */
const AGENT: Manner = {
  thinkMedianMs: 3_000,
  thinkSigma: 0.4,
  agentShare: 0,
  sideShare: 0,
  family: "opus",
};

/** A conversation as it grows. */
class Growth {
  readonly requests: PlannedRequest[] = [];
  readonly #random: Random;
  readonly #manner: Manner;
  #context = START_TOKENS;
  #elapsedMs = 0;

  constructor(random: Random, manner: Manner) {
    this.#random = random;
    this.#manner = manner;
  }

  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  add(
    gapMs: number,
    parts: {
      readonly isPrompt: boolean;
      readonly agents: readonly PlannedConversation[];
    },
  ): void {
    this.#context += Math.min(25_000, this.#random.around(2_200, 0.9));
    const isCompacted = this.#context > COMPACT_AT_TOKENS;
    if (isCompacted) this.#context = COMPACTED_TOKENS;
    const outputTokens = Math.round(
      Math.min(8_000, this.#random.around(420, 0.9)),
    );
    const durationMs = HEAD_MS + outputTokens / TOKENS_PER_SECOND * 1_000;
    this.requests.push({
      gapMs,
      contextTokens: Math.round(this.#context),
      outputTokens,
      durationMs,
      family: this.#manner.family,
      isCompacted,
      isSide: false,
      ...parts,
    });
    this.#context += outputTokens;
    this.#elapsedMs += gapMs + durationMs + longest(parts.agents);
  }

  addSide(): void {
    this.requests.push({
      gapMs: 0,
      contextTokens: SIDE_TOKENS,
      outputTokens: SIDE_OUTPUT_TOKENS,
      durationMs: HEAD_MS,
      family: this.#manner.family,
      isCompacted: false,
      isSide: true,
      isPrompt: true,
      agents: [],
    });
  }

  /** Returns one prompt and the requests that bring back its tool results. */
  turn(gapMs: number, agents: readonly PlannedConversation[]): void {
    const random = this.#random;
    if (random.chance(this.#manner.sideShare)) this.addSide();
    const rounds = random.whole(2, 18);
    this.add(gapMs, { isPrompt: true, agents });
    for (let round = 1; round < rounds; round++) {
      const toolMs = Math.min(300_000, random.around(4_000, 1.1));
      this.add(toolMs, { isPrompt: false, agents: [] });
    }
  }
}

function longest(conversations: readonly PlannedConversation[]): number {
  let most = 0;
  for (const { requests } of conversations) {
    let sum = 0;
    for (const { gapMs, durationMs } of requests) sum += gapMs + durationMs;
    most = Math.max(most, sum);
  }
  return most;
}

/** Returns two to six sub-agents that start together. */
function burst(
  random: Random,
  name: string,
  manner: Manner,
): readonly PlannedConversation[] {
  const count = random.whole(2, 6);
  return Array.from({ length: count }, (_, index) => {
    const growth = new Growth(random, { ...manner, sideShare: 0 });
    const rounds = random.whole(4, 14);
    for (let round = 0; round < rounds; round++) {
      const gapMs = round === 0 ? 200 : random.around(3_000, 1);
      growth.add(gapMs, { isPrompt: false, agents: [] });
    }
    return { id: `${name}/${index}`, requests: growth.requests };
  });
}

/** Returns one sitting of one person from `startsAt`, `hours` long at most. */
export function sitting(
  random: Random,
  { id, startsAt, hours, manner }: {
    readonly id: string;
    readonly startsAt: Instant;
    readonly hours: number;
    readonly manner: Manner;
  },
): PlannedSession {
  const growth = new Growth(random, manner);
  growth.addSide();
  for (let turn = 0; growth.elapsedMs < hours * HOUR_MS; turn++) {
    const gapMs = turn === 0
      ? 1_000
      : random.around(manner.thinkMedianMs, manner.thinkSigma);
    const agents = random.chance(manner.agentShare)
      ? burst(random, `${id}/${turn}`, manner)
      : [];
    growth.turn(Math.min(gapMs, 5 * HOUR_MS), agents);
  }
  const deadline = (startsAt + hours * HOUR_MS) as Instant;
  return { id, startsAt, deadline, requests: growth.requests };
}

/** Returns one agent's job: this many requests without a pause. */
export function job(
  random: Random,
  { id, startsAt, deadline, requests }: {
    readonly id: string;
    readonly startsAt: Instant;
    readonly deadline: Instant | null;
    readonly requests: number;
  },
): PlannedSession {
  const growth = new Growth(random, AGENT);
  for (let round = 0; round < requests; round++) {
    const gapMs = random.around(AGENT.thinkMedianMs, AGENT.thinkSigma);
    growth.add(gapMs, { isPrompt: round === 0, agents: [] });
  }
  return { id, startsAt, deadline, requests: growth.requests };
}

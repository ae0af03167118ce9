/**
 * One simulated Claude Code session: prompts, tool loops, sub-agents,
 * compactions, and the retries of the real client.
 *
 * @module
 */

import { contextTokens, NO_USAGE, type TokenUsage } from "../../core/usage.ts";
import { MINUTE_MS, SECOND_MS } from "../../core/time.ts";
import { addUsage } from "../provider/records.ts";
import type { Clock, HeaderList } from "../../ports.ts";
import type { Dice } from "../dice.ts";
import { type JsonObject, objectOf, textOf } from "../json.ts";
import { prose } from "../answer/prose.ts";
import {
  bodyText,
  COMPACTION_TEXT,
  continuationText,
  type Prefix,
  type TrafficMessage,
} from "./traffic_body.ts";
import type { ClientAnswer, TrafficClient } from "./traffic_client.ts";

/** What all sessions of one simulation share. */
export interface TrafficWorld {
  readonly client: TrafficClient;
  readonly book: TrafficBook;
  readonly clock: Clock;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  readonly headers: HeaderList;
  readonly mainPrefix: Prefix;
  readonly subagentPrefix: Prefix;
  readonly ttl: "5m" | "1h";
  readonly requestsMax: number;
  readonly retriesMax: number;
  /** A longer conversation is summarised. */
  readonly compactionTokens: number;
  /** Probability that the client leaves in the middle of a stream. */
  readonly leaveChance: number;
}

interface SessionIdentity {
  readonly session: string;
  /** Null for the main conversation. */
  readonly agent: string | null;
  readonly parentAgent: string | null;
  readonly device: string;
  readonly model: string;
}

/** Ends a session: the request limit is reached, or the simulation stops. */
export class TrafficEnd extends Error {}

const RETRY_AFTER_SECONDS_MAX = 60;
const LEAVE_AFTER_EVENTS_MAX = 8;

export class SimulatedConversation {
  readonly #world: TrafficWorld;
  readonly #identity: SessionIdentity;
  readonly #dice: Dice;
  #messages: TrafficMessage[] = [];
  #contextTokens = 0;

  constructor(world: TrafficWorld, identity: SessionIdentity, dice: Dice) {
    this.#world = world;
    this.#identity = identity;
    this.#dice = dice;
  }

  /**
   * Plays one prompt and returns the text of its last answer, or null if it
   * gave up.
   */
  async prompt(text: string): Promise<string | null> {
    if (this.#contextTokens > this.#world.compactionTokens) {
      await this.#compact();
    }
    const before = [...this.#messages];
    this.#say("user", [{ type: "text", text }]);
    for (;;) {
      const answer = await this.#send();
      if (answer === null) {
        // The next prompt starts from the last complete turn.
        this.#messages = before;
        return null;
      }
      this.#say("assistant", answer.content);
      const calls = answer.content.filter((block) =>
        block["type"] === "tool_use"
      );
      if (calls.length === 0) return textIn(answer.content);
      const results: JsonObject[] = [];
      for (const call of calls) results.push(await this.#runTool(call));
      this.#say("user", results);
    }
  }

  #say(role: "user" | "assistant", content: readonly JsonObject[]): void {
    this.#messages.push({ role, content });
  }

  async #runTool(call: JsonObject): Promise<JsonObject> {
    const { book, clock, pace, signal } = this.#world;
    book.count("toolCalls");
    const input = objectOf(call["input"]) ?? {};
    const content = call["name"] === "Agent"
      ? await this.#runAgent(textOf(input["prompt"]) ?? "")
      : prose(this.#dice, this.#dice.integer(20, 200));
    await clock.sleep(pace.toolMs(this.#dice), signal);
    return { type: "tool_result", tool_use_id: call["id"], content };
  }

  async #runAgent(prompt: string): Promise<string> {
    this.#world.book.count("subagents");
    const agent = new SimulatedConversation(this.#world, {
      ...this.#identity,
      agent: `a${this.#dice.hex(16)}`,
      parentAgent: this.#identity.agent,
    }, this.#dice.fork(`agent ${this.#dice.hex(8)}`));
    return await agent.prompt(prompt) ?? "The sub-agent failed.";
  }

  async #compact(): Promise<void> {
    this.#world.book.count("compactions");
    this.#say("user", [{ type: "text", text: COMPACTION_TEXT }]);
    const answer = await this.#send();
    this.#messages.pop();
    if (answer === null) return;
    const text = continuationText(textIn(answer.content));
    this.#messages = [];
    this.#say("user", [{ type: "text", text }]);
    this.#say("assistant", [{ type: "text", text: "Understood." }]);
    this.#contextTokens = 0;
  }

  /**
   * Sends the conversation until it is answered; returns null if it gave up.
   */
  async #send(): Promise<ClientAnswer | null> {
    const { book, clock, pace, retriesMax, signal } = this.#world;
    for (let retry = 0; retry <= retriesMax; retry++) {
      const answer = await this.#sendOnce(retry);
      if (answer.ending === "complete") {
        this.#contextTokens = contextTokens(answer.usage) + answer.usage.output;
        return answer;
      }
      const seconds = answer.retryAfterSeconds ?? 0;
      const isHopeless = seconds > RETRY_AFTER_SECONDS_MAX ||
        answer.ending === "left" || answer.status === 400;
      if (isHopeless) break;
      if (retry < retriesMax) {
        await clock.sleep(pace.retryMs(retry, seconds), signal);
      }
    }
    book.count("givenUp");
    return null;
  }

  async #sendOnce(retry: number): Promise<ClientAnswer> {
    const { book, client, mainPrefix, signal, subagentPrefix, ttl } =
      this.#world;
    if (signal.aborted || book.of("requests") >= this.#world.requestsMax) {
      throw new TrafficEnd();
    }
    book.count("requests");
    if (retry > 0) book.count("retries");
    const { agent, device, model, session } = this.#identity;
    const answer = await client.send({
      body: bodyText({
        model,
        prefix: agent === null ? mainPrefix : subagentPrefix,
        messages: this.#messages,
        ttl,
        session,
        device,
      }),
      headers: this.#headers(),
      signal,
      leaveAfter: this.#dice.chance(this.#world.leaveChance)
        ? this.#dice.integer(1, LEAVE_AFTER_EVENTS_MAX)
        : null,
    });
    this.#book(answer);
    if (signal.aborted) throw new TrafficEnd();
    return answer;
  }

  #book(answer: ClientAnswer): void {
    const { book } = this.#world;
    if (answer.status === null) return book.count("unreachable");
    book.countStatus(answer.status);
    book.addUsage(this.#identity.session, answer.usage);
    switch (answer.ending) {
      case "complete":
        return book.count("complete");
      case "broken":
        return book.count("broken");
      case "error_event":
        return book.count("errorEvents");
      case "left":
        return book.count("left");
      case "refused":
        return;
    }
  }

  #headers(): HeaderList {
    const { agent, parentAgent, session } = this.#identity;
    return [
      ["accept", "application/json"],
      ["content-type", "application/json"],
      ["user-agent", "tc-demo/1"],
      ["x-claude-code-session-id", session],
      ...(agent === null ? [] : [["x-claude-code-agent-id", agent] as const]),
      ...(parentAgent === null
        ? []
        : [["x-claude-code-parent-agent-id", parentAgent] as const]),
      ["anthropic-beta", "claude-code-20250219"],
      ["anthropic-version", "2023-06-01"],
      ["x-app", "cli"],
      ["x-demo-nonce", this.#dice.hex(24)],
      ...this.#world.headers,
    ];
  }
}

function textIn(content: readonly JsonObject[]): string {
  return content.flatMap((block) => textOf(block["text"]) ?? []).join("\n");
}

export interface TrafficReport {
  /** Requests sent, retries included. */
  readonly requests: number;
  /** Streams that reached their `message_stop`. */
  readonly complete: number;
  /** Streams that ended or broke before it. */
  readonly broken: number;
  /** Streams with an `event: error`. */
  readonly errorEvents: number;
  /** Requests without any answer. */
  readonly unreachable: number;
  /** Streams that the client itself left. */
  readonly left: number;
  /** Repeated sends of the same message. */
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

/** Adds up the sums while the traffic runs. */
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

export type PaceName =
  /** A person who reads and thinks between prompts. */
  | "human"
  /** Agents that go on as soon as their tools are done. */
  | "fleet"
  /** Never waits; for load tests. */
  | "instant";

/** Waits in milliseconds. */
interface Pace {
  /** Returns the time between the end of a turn and the next prompt. */
  thinkMs(dice: Dice): number;
  /** Returns how long a tool takes. */
  toolMs(dice: Dice): number;
  /**
   * Returns the pause before try `retry` + 1; `retryAfterSeconds` is what the
   * answer asked for.
   */
  retryMs(retry: number, retryAfterSeconds: number): number;
}

const BACKOFF_MS = 500;
const BACKOFF_MS_MAX = 32 * SECOND_MS;
const INSTANT_RETRY_MS = 5;
const THINK_MS_MEDIAN = 8 * SECOND_MS;
const THINK_MS_MAX = 2 * MINUTE_MS;

/**
 * The real client waits half a second, doubled each time, or as long as it is
 * told.
 */
function patientRetryMs(retry: number, retryAfterSeconds: number): number {
  const backoffMs = Math.min(BACKOFF_MS * 2 ** retry, BACKOFF_MS_MAX);
  return Math.max(backoffMs, retryAfterSeconds * SECOND_MS);
}

export const PACES: Readonly<Record<PaceName, Pace>> = {
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

/** Returns a standard normal number (Box and Muller). */
function normal(dice: Dice): number {
  const radius = Math.sqrt(-2 * Math.log(1 - dice.random()));
  return radius * Math.cos(2 * Math.PI * dice.random());
}

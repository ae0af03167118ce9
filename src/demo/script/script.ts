/**
 * Scripting the fake provider in the words of the domain:
 * `api.next("work").reply(429, { rejected: "5h", resetsInMs: 600_000 })`.
 *
 * @module
 */

import type { WindowKey } from "../../core/quota/quota.ts";
import { SECOND_MS } from "../../core/time.ts";
import type { HeaderList } from "../../ports.ts";
import type { AnswerBlock } from "../answer/answer.ts";
import type { ToolCall } from "./directive.ts";
import type { StreamStep } from "../answer/emission.ts";
import {
  type Refusal,
  type RefusalName,
  REFUSALS,
} from "../provider/refusal.ts";

export interface ReplyOptions {
  /** The window that the answer calls spent. */
  readonly rejected?: WindowKey;
  readonly resetsInMs?: number;
  /** The `retry-after` header; null leaves it out. */
  readonly retryAfterSeconds?: number | string | null;
  readonly type?: string;
  readonly message?: string;
  /** Sent besides, or instead of the usual ones of the same name. */
  readonly headers?: HeaderList;
  /** A body of its own, JSON or not. */
  readonly body?: string;
  readonly contentType?: string;
}

/** Whether the rate-limit headers of the account go with the answer. */
export type LimitsShown = "true" | "none";

/** An answer that replaces the provider's own judgement. */
export interface ScriptedRefusal {
  readonly kind: "refuse";
  readonly refusal: Refusal;
  readonly limits: LimitsShown;
  readonly options: ReplyOptions;
}

/** An answer that the provider gives if it serves the request at all. */
export interface ScriptedService {
  readonly kind: "serve";
  /** The content; null is planned from the prompt. */
  readonly blocks: readonly ScriptedBlock[] | null;
  /** The stream step by step; null is the whole answer in order. */
  readonly steps: readonly StreamStep[] | null;
}

export type ScriptedBlock =
  | Extract<AnswerBlock, { readonly kind: "text" | "thinking" }>
  | (ToolCall & { readonly kind: "tool_use" });

export interface Scripted {
  readonly delayMs: number;
  /** What `log()` and the record call it. */
  readonly label: string;
  readonly act: ScriptedRefusal | ScriptedService;
}

const THROTTLE_SECONDS = 5;

/** Says what happens to the next request; each verb puts one answer in line. */
export class AnswerScript {
  readonly #put: (scripted: Scripted) => void;
  #delayMs = 0;
  #times = 1;

  constructor(put: (scripted: Scripted) => void) {
    this.#put = put;
  }

  /** Waits before the head of the answer. */
  delay(ms: number): this {
    this.#delayMs = ms;
    return this;
  }

  /** Puts the answer that follows in line `count` times. */
  times(count: number): this {
    this.#times = count;
    return this;
  }

  /** Any status; a 429 with `rejected` names its window in every header. */
  reply(status: number, options: ReplyOptions = {}): void {
    const usual = usualRefusal(status);
    this.#refuse(`reply ${status}`, {
      ...usual,
      ...(options.type === undefined ? {} : { type: options.type }),
      ...(options.message === undefined ? {} : { message: options.message }),
    }, options);
  }

  /** One of the provider's refusals by name. */
  fail(name: RefusalName): void {
    this.#refuse(name, REFUSALS[name], {}, "none");
  }

  /** A 429 with every window allowed: too fast for a moment. */
  throttle(options: ReplyOptions = {}): void {
    this.#refuse("throttle", REFUSALS.rate_limited, {
      retryAfterSeconds: THROTTLE_SECONDS,
      ...options,
    });
  }

  /** A 429 with neither limits nor `retry-after`. */
  burst(): void {
    this.#refuse("burst", REFUSALS.rate_limited, {}, "none");
  }

  overload(options: ReplyOptions = {}): void {
    this.#refuse("overload", REFUSALS.overloaded, options, "none");
  }

  /** A stream step by step; what it does not name is not sent. */
  stream(steps: readonly StreamStep[]): void {
    this.#serve("stream", null, steps);
  }

  say(text: string): void {
    this.#serve("say", [{ kind: "text", text }], null);
  }

  toolUse(name: string, input: ToolCall["input"]): void {
    this.#serve("tool_use", [{ kind: "tool_use", name, input }], null);
  }

  content(blocks: readonly ScriptedBlock[]): void {
    this.#serve("content", blocks, null);
  }

  /** The usual answer, only later: with {@linkcode delay}. */
  serve(): void {
    this.#serve("serve", null, null);
  }

  #refuse(
    label: string,
    refusal: Refusal,
    options: ReplyOptions,
    limits: LimitsShown = "true",
  ): void {
    this.#line(label, { kind: "refuse", refusal, limits, options });
  }

  #serve(
    label: string,
    blocks: readonly ScriptedBlock[] | null,
    steps: readonly StreamStep[] | null,
  ): void {
    this.#line(label, { kind: "serve", blocks, steps });
  }

  #line(label: string, act: Scripted["act"]): void {
    for (let count = 0; count < this.#times; count++) {
      this.#put({ delayMs: this.#delayMs, label, act });
    }
  }
}

function usualRefusal(status: number): Refusal {
  const usual = Object.values(REFUSALS).find((each) => each.status === status);
  return usual ?? { status, type: "api_error", message: `Status ${status}` };
}

/** The `retry-after` of a scripted refusal, or null. */
export function retryAfterOf(options: ReplyOptions): string | null {
  if (options.retryAfterSeconds !== undefined) {
    return options.retryAfterSeconds === null
      ? null
      : String(options.retryAfterSeconds);
  }
  return options.resetsInMs === undefined
    ? null
    : String(Math.ceil(options.resetsInMs / SECOND_MS));
}

/** Scripted answers waiting, by account; `null` is for whichever comes. */
export class Lines<Entry> {
  readonly #lines = new Map<string | null, Entry[]>();

  put(account: string | null, entry: Entry): void {
    const line = this.#lines.get(account) ?? [];
    line.push(entry);
    this.#lines.set(account, line);
  }

  /** The next one for `account`, else the next for whichever, else null. */
  take(account: string | null): Entry | null {
    return this.#lines.get(account)?.shift() ??
      this.#lines.get(null)?.shift() ?? null;
  }

  /** How many still wait: a test that scripted too much can see it. */
  get size(): number {
    return [...this.#lines.values()]
      .reduce((sum, line) => sum + line.length, 0);
  }

  clear(): void {
    this.#lines.clear();
  }
}

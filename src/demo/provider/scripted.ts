/**
 * Answers that replace the fake provider's own judgement. Random faults produce
 * them, and tests do: a test passes a {@linkcode ProviderScript}.
 *
 * @module
 */

import type { WindowKey } from "../../core/quota/quota.ts";
import { SECOND_MS } from "../../core/time.ts";
import type { HeaderList } from "../../ports.ts";
import type { AnswerBlock } from "../answer/answer.ts";
import type { ToolCall } from "../answer/directive.ts";
import type { StreamStep } from "../answer/emission.ts";
import type { Refusal } from "./refusal.ts";

/**
 * The one hook for tests. Each method takes the next answer for `account` off
 * its line; null means that the provider judges by itself.
 */
export interface ProviderScript {
  /** For `POST /v1/messages`. */
  answer(account: string): Scripted | null;
  /** For the token endpoint; `account` is null while its owner is unknown. */
  token(account: string | null): ScriptedToken | null;
  /** For the usage endpoint. */
  usage(account: string): Scripted | null;
}

export interface ReplyOptions {
  /** The window that the answer calls spent. */
  readonly rejected?: WindowKey;
  readonly resetsInMs?: number;
  /** The `retry-after` header; null leaves it out. */
  readonly retryAfterSeconds?: number | string | null;
  readonly type?: string;
  readonly message?: string;
  /** Sent in addition, or in place of the usual ones of the same name. */
  readonly headers?: HeaderList;
  /** A body to send instead, JSON or not. */
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
interface ScriptedService {
  readonly kind: "serve";
  /** The content; null plans it from the prompt. */
  readonly blocks: readonly ScriptedBlock[] | null;
  /** The stream step by step; null sends the whole answer in order. */
  readonly steps: readonly StreamStep[] | null;
}

export type ScriptedBlock =
  | Extract<AnswerBlock, { readonly kind: "text" | "thinking" }>
  | (ToolCall & { readonly kind: "tool_use" });

export interface Scripted {
  readonly delayMs: number;
  /** Its name in `log()` and the record. */
  readonly label: string;
  readonly act: ScriptedRefusal | ScriptedService;
}

/** How the answer of the token endpoint differs from the usual one. */
export interface ScriptedToken {
  readonly delayMs: number;
  readonly act:
    /** The usual answer, perhaps with fields replaced. */
    | {
      readonly kind: "answer";
      readonly fields: Readonly<Record<string, unknown>>;
      /**
       * Whether only the access token is new and `refresh_token` is left out.
       */
      readonly keepsRefresh: boolean;
    }
    /** Rotates, then breaks the connection off, so that the answer is lost. */
    | { readonly kind: "drop" }
    /** Rotates nothing. */
    | {
      readonly kind: "reply";
      readonly status: number;
      readonly headers: HeaderList;
      readonly body: string;
    };
}

/** Returns the `retry-after` of a scripted refusal, or null. */
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

/**
 * Changes of the account list, asked by the worker and done by the main thread.
 * The config decides what the next worker may touch, so the worker cannot write
 * it. It says which account to change and how; the main thread does that and
 * nothing else.
 *
 * @module
 */

import * as v from "valibot";
import { type AccountId, accountId } from "../../core/account.ts";
import { PLAN_PRICE_MAX } from "../../core/plans.ts";
import { spendLimit } from "../../core/quota/spending.ts";
import { hintOf, TcError } from "../../errors.ts";
import type { AccountChange } from "../../store/account_desk.ts";
import type { PersonShell } from "../../shell_words.ts";

/** The allowed changes of the list; an AccountDesk makes them. */
export interface AccountChanges {
  change(id: AccountId, change: AccountChange): Promise<void>;
  remove(id: AccountId): Promise<void>;
}

/** The keys of the config that the worker may change. */
const QUESTION = v.variant("kind", [
  v.strictObject({
    kind: v.literal("change"),
    account: v.string(),
    change: v.strictObject({
      name: v.optional(v.string()),
      enabled: v.optional(v.boolean()),
      priority: v.optional(v.pipe(v.number(), v.finite())),
      leasesMax: v.optional(
        v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))),
      ),
      capUtilization: v.optional(
        v.nullable(v.pipe(v.number(), v.gtValue(0), v.maxValue(1))),
      ),
      maxCost: v.optional(
        v.nullable(
          v.pipe(v.string(), v.check((text) => spendLimit(text) !== null)),
        ),
      ),
      planPrice: v.optional(
        v.nullable(
          v.pipe(v.number(), v.minValue(0), v.maxValue(PLAN_PRICE_MAX)),
        ),
      ),
    }),
  }),
  v.strictObject({ kind: v.literal("remove"), account: v.string() }),
]);

export type ChangeQuestion = v.InferOutput<typeof QUESTION>;

/** Null if it was done; else the parts of the error that survive a message. */
export type ChangeAnswer = {
  readonly message: string;
  readonly code: string;
  readonly hint: string | null;
  readonly exitCode: number;
} | null;

/** Answers in the main thread. Never rejects. */
export async function answerChange(
  question: unknown,
  changes: AccountChanges,
  person: PersonShell,
): Promise<ChangeAnswer> {
  try {
    const wanted = v.parse(QUESTION, question);
    const id = accountId(wanted.account);
    if (id === null) throw new TypeError("no account id");
    if (wanted.kind === "remove") await changes.remove(id);
    else await changes.change(id, wanted.change as AccountChange);
    return null;
  } catch (cause) {
    const error = cause instanceof TcError
      ? cause
      : new TcError("Cannot change the account: the change is not allowed", {
        code: "refused_change",
        cause,
      });
    const { message, code, exitCode } = error;
    return { message, code, hint: hintOf(error, person), exitCode };
  }
}

/** The side of the worker: it asks by `post` and gets its answers by `take`. */
export class ChangeAsker implements AccountChanges {
  readonly #post: (id: number, question: ChangeQuestion) => void;
  readonly #waiting = new Map<number, (answer: ChangeAnswer) => void>();
  #count = 0;

  constructor(post: (id: number, question: ChangeQuestion) => void) {
    this.#post = post;
  }

  change(account: AccountId, change: AccountChange): Promise<void> {
    return this.#ask({ kind: "change", account, change });
  }

  remove(account: AccountId): Promise<void> {
    return this.#ask({ kind: "remove", account });
  }

  take(id: number, answer: ChangeAnswer): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }

  async #ask(question: ChangeQuestion): Promise<void> {
    const id = ++this.#count;
    const answer = await new Promise<ChangeAnswer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#post(id, question);
    });
    if (answer === null) return;
    const { message, code, hint, exitCode } = answer;
    throw new TcError(message, {
      code,
      exitCode,
      source: "user",
      ...(hint === null ? {} : { hint }),
    });
  }
}

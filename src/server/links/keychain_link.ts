/**
 * The system's keychain for the worker: it may run no program, so the main
 * thread runs the keychain's tool, only for entries of the vault.
 *
 * @module
 */

import { accountId } from "../../core/account.ts";
import { SECOND_MS } from "../../core/time.ts";
import { hintOf, reasonOf, TcError, VaultError } from "../../errors.ts";
import type { KeychainTool } from "../../store/vault/keychain_tools.ts";
import { PendingCalls } from "./pending_calls.ts";
import type { PersonShell } from "../../shell_words.ts";

export type KeychainQuestion =
  | { readonly kind: "check" }
  | { readonly kind: "store"; readonly id: string; readonly secret: string }
  | { readonly kind: "load"; readonly id: string; readonly note: string }
  | { readonly kind: "erase"; readonly id: string };

export type KeychainAnswer =
  | { readonly kind: "done"; readonly text: string | null }
  | {
    readonly kind: "failed";
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
  };

/** Longer than the program's own time limit. */
const ANSWER_MS_MAX = 15 * SECOND_MS;

/** Answers in the main thread. */
export async function answerKeychain(
  question: KeychainQuestion,
  tool: KeychainTool | null,
  person: PersonShell,
): Promise<KeychainAnswer> {
  try {
    if (tool === null) throw new Error("there is none here");
    return { kind: "done", text: await asked(question, tool) };
  } catch (cause) {
    return {
      kind: "failed",
      code: cause instanceof TcError ? cause.code : "keychain_refused",
      message: reasonOf(cause),
      hint: hintOf(cause, person),
    };
  }
}

/** Checks the id: it becomes an argument of a program. */
async function asked(
  question: KeychainQuestion,
  tool: KeychainTool,
): Promise<string | null> {
  if (question.kind === "check") {
    await tool.check();
    return null;
  }
  const id = accountId(question.id);
  if (id === null) throw new RangeError("Cannot use that id");
  switch (question.kind) {
    case "store":
      return await tool.store(id, question.secret);
    case "load":
      return await tool.load(id, question.note);
    case "erase":
      await tool.erase(id);
      return null;
  }
}

/** The side of the worker: a keychain that asks the main thread. */
export class KeychainAsker implements KeychainTool {
  readonly text: string;
  readonly #post: (id: number, question: KeychainQuestion) => void;
  readonly #calls = new PendingCalls<KeychainAnswer>(ANSWER_MS_MAX, {
    kind: "failed",
    code: "keychain_locked",
    message: "Cannot use the keychain: it did not answer, it may be locked",
    hint: "Unlock the keychain and try again",
  });

  constructor(
    text: string,
    post: (id: number, question: KeychainQuestion) => void,
  ) {
    this.text = text;
    this.#post = post;
  }

  async check(): Promise<void> {
    await this.#ask({ kind: "check" });
  }

  async store(id: string, secret: string): Promise<string> {
    return await this.#ask({ kind: "store", id, secret }) ?? this.text;
  }

  load(id: string, note: string): Promise<string | null> {
    return this.#ask({ kind: "load", id, note });
  }

  async erase(id: string): Promise<void> {
    await this.#ask({ kind: "erase", id });
  }

  take(id: number, answer: KeychainAnswer): void {
    this.#calls.take(id, answer);
  }

  async #ask(question: KeychainQuestion): Promise<string | null> {
    const answer = await this.#calls.ask((id) => this.#post(id, question));
    if (answer.kind === "done") return answer.text;
    const { code, message, hint } = answer;
    throw new VaultError(message, {
      code,
      ...(hint === null ? {} : { hint }),
    });
  }
}

/**
 * Logins that another program holds as well, across the worker's border: the
 * worker may not open that program's store, so the main thread does it.
 *
 * @module
 */

import type { FamilyOwners } from "../auth/shared_family.ts";
import { instantFromMs, SECOND_MS } from "../core/time.ts";
import { type OAuthCredential, Secret, type SharedFamily } from "../ports.ts";

import { PendingCalls } from "./pending_calls.ts";

/** A login in memory between two threads: a Secret does not survive a message. */
export interface PlainLogin {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAtMs: number;
  readonly scopes: readonly string[];
}

export type OwnerQuestion =
  | { readonly kind: "read"; readonly family: SharedFamily }
  | {
    readonly kind: "hand_back";
    readonly family: SharedFamily;
    readonly spent: string;
    readonly next: PlainLogin;
  };

/** Beyond a keychain's prompt that nobody answers. */
const ANSWER_MS_MAX = 25 * SECOND_MS;

/** The main thread's half: null where there is no login, or it cannot be read. */
export async function answerOwner(
  question: OwnerQuestion,
  owners: FamilyOwners,
): Promise<PlainLogin | null> {
  try {
    if (question.kind === "read") {
      const found = await owners.read(question.family);
      return found === null ? null : plain(found);
    }
    const { family, spent, next } = question;
    await owners.handBack?.(family, new Secret(spent), credential(next));
    return null;
  } catch {
    // A store that cannot be read now is as good as none: the vault has its own.
    return null;
  }
}

/** The worker's half: asks by `post` and gets its answers by `take`. */
export class OwnerAsker implements FamilyOwners {
  readonly #post: (id: number, question: OwnerQuestion) => void;
  readonly #calls = new PendingCalls<PlainLogin | null>(ANSWER_MS_MAX, null);

  constructor(post: (id: number, question: OwnerQuestion) => void) {
    this.#post = post;
  }

  async read(family: SharedFamily): Promise<OAuthCredential | null> {
    const login = await this.#ask({ kind: "read", family });
    return login === null ? null : credential(login);
  }

  readonly handBack = async (
    family: SharedFamily,
    spent: Secret,
    next: OAuthCredential,
  ): Promise<void> => {
    await this.#ask({
      kind: "hand_back",
      family,
      spent: spent.reveal(),
      next: plain(next),
    });
  };

  take(id: number, login: PlainLogin | null): void {
    this.#calls.take(id, login);
  }

  #ask(question: OwnerQuestion): Promise<PlainLogin | null> {
    return this.#calls.ask((id) => this.#post(id, question));
  }
}

function plain(login: OAuthCredential): PlainLogin {
  return {
    accessToken: login.accessToken.reveal(),
    refreshToken: login.refreshToken.reveal(),
    expiresAtMs: login.expiresAt,
    scopes: login.scopes,
  };
}

function credential(login: PlainLogin): OAuthCredential {
  return {
    kind: "oauth",
    accessToken: new Secret(login.accessToken),
    refreshToken: new Secret(login.refreshToken),
    expiresAt: instantFromMs(login.expiresAtMs),
    scopes: login.scopes,
  };
}

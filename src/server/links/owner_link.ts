/**
 * Logins that another program also holds: the worker may not open that
 * program's store, so the main thread opens and holds it for the worker.
 *
 * @module
 */

import type {
  FamilyOwners,
  OwnerHold,
  OwnerReading,
} from "../../auth/shared/family_owners.ts";
import { instantFromMs, MINUTE_MS, SECOND_MS } from "../../core/time.ts";
import { EXIT, reasonOf, TcError } from "../../errors.ts";
import {
  type AccountIdentity,
  type OAuthCredential,
  RefreshToken,
  Secret,
  type SharedFamily,
} from "../../ports.ts";
import { PendingCalls } from "./pending_calls.ts";

/**
 * A login in a message between two threads, because a Secret does not survive a
 * message.
 */
interface PlainLogin {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAtMs: number;
  readonly scopes: readonly string[];
  readonly signInEndsAtMs: number | null;
}

export type OwnerQuestion =
  | { readonly kind: "hold"; readonly family: SharedFamily }
  | { readonly kind: "read"; readonly hold: number }
  | { readonly kind: "obstacle"; readonly hold: number }
  | {
    readonly kind: "hand_back";
    readonly hold: number;
    readonly spent: string;
    readonly next: PlainLogin;
  }
  | { readonly kind: "release"; readonly hold: number };

export type OwnerAnswer =
  | {
    readonly kind: "held";
    /** Null if that store no longer exists. */
    readonly hold: number | null;
    readonly isWritable: boolean;
  }
  | {
    readonly kind: "login";
    readonly login: PlainLogin;
    readonly identity: AccountIdentity | null;
  }
  | Exclude<OwnerReading, { readonly kind: "login" }>
  | { readonly kind: "obstacle"; readonly reason: string | null }
  | { readonly kind: "handed_back"; readonly isWritten: boolean }
  | { readonly kind: "released" }
  | {
    readonly kind: "failed";
    readonly code: string;
    readonly message: string;
  };

/**
 * Longer than an unanswered keychain prompt and the wait for a lock together.
 */
const ANSWER_MS_MAX = 40 * SECOND_MS;
/** A worker that has not released a store by then has died. */
const HOLD_MS_MAX = 3 * MINUTE_MS;

/** The side of the main thread: the stores that it holds for the worker. */
export class OwnerDesk {
  readonly #owners: FamilyOwners;
  readonly #holds = new Map<
    number,
    { readonly hold: OwnerHold; readonly timer: ReturnType<typeof setTimeout> }
  >();
  #count = 0;

  constructor(owners: FamilyOwners) {
    this.#owners = owners;
  }

  /**
   * Returns the answer to `question`. Never rejects: an error is an answer too.
   */
  async answer(question: OwnerQuestion): Promise<OwnerAnswer> {
    try {
      return await this.#answer(question);
    } catch (cause) {
      return {
        kind: "failed",
        code: cause instanceof TcError ? cause.code : "owner_failed",
        message: reasonOf(cause),
      };
    }
  }

  /** Releases every store, when the worker is gone. */
  async close(): Promise<void> {
    await Promise.all([...this.#holds.keys()].map((id) => this.#release(id)));
  }

  async #answer(question: OwnerQuestion): Promise<OwnerAnswer> {
    switch (question.kind) {
      case "hold":
        return await this.#hold(question.family);
      case "read": {
        const reading = await this.#held(question.hold).read();
        if (reading.kind !== "login") return reading;
        const { credential, identity } = reading;
        return { kind: "login", login: plain(credential), identity };
      }
      case "obstacle": {
        const reason = await this.#held(question.hold).obstacle();
        return { kind: "obstacle", reason };
      }
      case "hand_back": {
        const { handBack } = this.#held(question.hold);
        const isWritten = await handBack?.(
          new RefreshToken(question.spent),
          credentialOf(question.next),
        ) ?? false;
        return { kind: "handed_back", isWritten };
      }
      case "release":
        await this.#release(question.hold);
        return { kind: "released" };
    }
  }

  async #hold(family: SharedFamily): Promise<OwnerAnswer> {
    const hold = await this.#owners.hold(family);
    if (hold === null) return { kind: "held", hold: null, isWritable: false };
    const id = ++this.#count;
    const timer = setTimeout(() => void this.#release(id), HOLD_MS_MAX);
    Deno.unrefTimer(Number(timer));
    this.#holds.set(id, { hold, timer });
    return { kind: "held", hold: id, isWritable: hold.handBack !== null };
  }

  #held(id: number): OwnerHold {
    const found = this.#holds.get(id);
    if (found !== undefined) return found.hold;
    throw new TcError("The store of the login's owner was let go too early", {
      code: "owner_released",
    });
  }

  async #release(id: number): Promise<void> {
    const found = this.#holds.get(id);
    if (found === undefined) return;
    this.#holds.delete(id);
    clearTimeout(found.timer);
    await found.hold.release();
  }
}

type Ask = (question: OwnerQuestion) => Promise<OwnerAnswer>;

/** The side of the worker: it asks by `post` and gets its answers by `take`. */
export class OwnerAsker implements FamilyOwners {
  readonly #post: (id: number, question: OwnerQuestion) => void;
  readonly #calls = new PendingCalls<OwnerAnswer>(ANSWER_MS_MAX, {
    kind: "failed",
    code: "owner_silent",
    message: "Cannot open the store of the login's owner: no answer in time",
  });

  constructor(post: (id: number, question: OwnerQuestion) => void) {
    this.#post = post;
  }

  async hold(family: SharedFamily): Promise<OwnerHold | null> {
    const ask: Ask = (question) => this.#ask(question);
    const answer = await ask({ kind: "hold", family });
    if (answer.kind !== "held") throw fault(answer);
    return answer.hold === null
      ? null
      : heldFor(answer.hold, answer.isWritable, ask);
  }

  take(id: number, answer: OwnerAnswer): void {
    this.#calls.take(id, answer);
  }

  #ask(question: OwnerQuestion): Promise<OwnerAnswer> {
    return this.#calls.ask((id) => this.#post(id, question));
  }
}

function heldFor(hold: number, isWritable: boolean, ask: Ask): OwnerHold {
  return {
    async read() {
      const answer = await ask({ kind: "read", hold });
      switch (answer.kind) {
        case "login":
          return {
            kind: "login",
            credential: credentialOf(answer.login),
            identity: answer.identity,
          };
        case "none":
        case "unreadable":
          return answer;
        default:
          throw fault(answer);
      }
    },
    async obstacle() {
      const answer = await ask({ kind: "obstacle", hold });
      return answer.kind === "obstacle" ? answer.reason : fault(answer).message;
    },
    handBack: isWritable
      ? async (spent, next) => {
        const answer = await ask({
          kind: "hand_back",
          hold,
          spent: RefreshToken.toStore(spent),
          next: plain(next),
        });
        if (answer.kind !== "handed_back") throw fault(answer);
        return answer.isWritten;
      }
      : null,
    async release() {
      await ask({ kind: "release", hold });
    },
  };
}

function fault(answer: OwnerAnswer): TcError {
  const { code, message } = answer.kind === "failed"
    ? answer
    : { code: "owner_failed", message: "The login's owner cannot be asked" };
  return new TcError(message, { code, exitCode: EXIT.tryLater });
}

function plain(login: OAuthCredential): PlainLogin {
  return {
    accessToken: login.accessToken.reveal(),
    refreshToken: RefreshToken.toStore(login.refreshToken),
    expiresAtMs: login.expiresAt,
    scopes: login.scopes,
    signInEndsAtMs: login.signInEndsAt,
  };
}

function credentialOf(login: PlainLogin): OAuthCredential {
  return {
    kind: "oauth",
    accessToken: new Secret(login.accessToken),
    refreshToken: new RefreshToken(login.refreshToken),
    expiresAt: instantFromMs(login.expiresAtMs),
    scopes: login.scopes,
    signInEndsAt: login.signInEndsAtMs === null
      ? null
      : instantFromMs(login.signInEndsAtMs),
  };
}

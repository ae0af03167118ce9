/**
 * Scripting the token endpoint: what happens to the next exchange or refresh.
 *
 * @module
 */

import type { HeaderList } from "../../ports.ts";

/** How the answer of the token endpoint differs from the usual one. */
export interface ScriptedToken {
  readonly delayMs: number;
  readonly act:
    /** The usual answer, perhaps with fields replaced. */
    | {
      readonly kind: "answer";
      readonly fields: Readonly<Record<string, unknown>>;
      /** Only the access token is new; `refresh_token` is left out. */
      readonly keepsRefresh: boolean;
    }
    /** Rotates, then breaks the connection off: the answer is lost. */
    | { readonly kind: "drop" }
    /** Nothing is rotated. */
    | {
      readonly kind: "reply";
      readonly status: number;
      readonly headers: HeaderList;
      readonly body: string;
    };
}

const HTML = "<!doctype html><title>Moved</title><h1>We have moved</h1>";

export class TokenScript {
  readonly #put: (scripted: ScriptedToken) => void;
  #delayMs = 0;
  #times = 1;

  constructor(put: (scripted: ScriptedToken) => void) {
    this.#put = put;
  }

  /** Waits before it answers; the rotation comes first. */
  delay(ms: number): this {
    this.#delayMs = ms;
    return this;
  }

  times(count: number): this {
    this.#times = count;
    return this;
  }

  /** The usual answer: with {@linkcode delay}. */
  answer(): void {
    this.fields({});
  }

  /** Rotates and loses the answer on the way. */
  dropAnswer(): void {
    this.#line({ kind: "drop" });
  }

  /** An error without rotation; 400 is `invalid_grant`. */
  status(
    status: number,
    body: Readonly<Record<string, unknown>> | null = null,
  ): void {
    const usual = status === 400
      ? {
        error: "invalid_grant",
        error_description: "Refresh token not found or invalid",
      }
      : { error: { type: "api_error", message: `Status ${status}` } };
    this.#reply(
      status,
      [["content-type", "application/json"]],
      JSON.stringify(body ?? usual),
    );
  }

  /** A page where JSON should be. */
  html(status = 200): void {
    this.#reply(status, [["content-type", "text/html"]], HTML);
  }

  redirect(location: string, status = 308): void {
    this.#reply(status, [["location", location]], "");
  }

  /** A new access token alone; the old refresh token stays good. */
  withoutRefreshToken(): void {
    this.#line({ kind: "answer", fields: {}, keepsRefresh: true });
  }

  /** Any value in `expires_in`, also a senseless one. */
  expiresIn(value: unknown): void {
    this.fields({ expires_in: value });
  }

  /** Any fields in place of the usual ones. */
  fields(fields: Readonly<Record<string, unknown>>): void {
    this.#line({ kind: "answer", fields, keepsRefresh: false });
  }

  #reply(status: number, headers: HeaderList, body: string): void {
    this.#line({ kind: "reply", status, headers, body });
  }

  #line(act: ScriptedToken["act"]): void {
    for (let count = 0; count < this.#times; count++) {
      this.#put({ delayMs: this.#delayMs, act });
    }
  }
}

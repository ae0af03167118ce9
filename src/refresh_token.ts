/**
 * A refresh token. Its first use spends it, so its value cannot simply be read.
 *
 * @module
 */

import { createHash } from "node:crypto";

/**
 * An opaque refresh token. It can be compared and recognised by its hash, and
 * never prints. Its value leaves it in two ways only, and the lint rule
 * `refresh-token` names the files that may call each: {@linkcode toSpend} for
 * the one module that sends it to the provider, {@linkcode toStore} for the
 * formats in which a login is kept.
 */
export class RefreshToken {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** Returns the value to send to the token endpoint, which spends it. */
  static toSpend(token: RefreshToken): string {
    return token.#value;
  }

  /** Returns the value to write into a store of logins. */
  static toStore(token: RefreshToken): string {
    return token.#value;
  }

  equals(other: RefreshToken): boolean {
    return this.#value === other.#value;
  }

  /**
   * Returns the SHA-256 of `salt` and the value in hex, enough to recognise it.
   */
  hash(salt = ""): string {
    return createHash("sha256").update(salt + this.#value).digest("hex");
  }

  toString(): string {
    return "[refresh token]";
  }

  toJSON(): string {
    return "[refresh token]";
  }

  [Symbol.for("Deno.customInspect")](): string {
    return "[refresh token]";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[refresh token]";
  }
}

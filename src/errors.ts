/**
 * Errors that a person can read. A verdict on capacity is data, not an error.
 *
 * @module
 */

import type { AccountId } from "./core/account.ts";
import type { Instant } from "./core/time.ts";
import { type Hint, hintText, type PersonShell } from "./shell_words.ts";

/** Which side of tc an error came from. */
type ErrorSource = "downstream" | "upstream" | "internal" | "user";

/** Exit codes, the one table (man page, tests and scripts rely on it). */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notRunning: 3,
  needsLogin: 4,
  alreadyRunning: 5,
  capacityYellow: 10,
  capacityRed: 20,
  badData: 65,
  unavailable: 69,
  cannotWrite: 73,
  tryLater: 75,
  noPermission: 77,
  badConfig: 78,
  interrupted: 130,
} as const;

/** The meaning of each exit code, for the man page and docs/cli.md. */
export const EXIT_WORDS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "done",
  failed: "failed; of tc doctor: warnings",
  usage: "wrong usage; of tc doctor: failures",
  notRunning: "no server runs",
  needsLogin: "an account or the pool needs a login",
  alreadyRunning: "another server, or another program, is already there",
  capacityYellow: "tc capacity: yellow",
  capacityRed: "tc capacity: red, or no server runs",
  badData: "data that cannot be read",
  unavailable: "the upstream or a program is not available",
  cannotWrite: "a file cannot be written",
  tryLater: "all accounts are closed, or something is in use",
  noPermission: "no permission",
  badConfig: "the config cannot be used",
  interrupted: "interrupted",
};

interface TcErrorOptions {
  /** Stable: tests and scripts use it, never the message. */
  readonly code: string;
  readonly source?: ErrorSource;
  /** What to do, preferably a command that can be typed. */
  readonly hint?: Hint;
  readonly exitCode?: number;
  readonly cause?: unknown;
}

/** The message says what went wrong and why: `Cannot <do>: <reason>`. */
export class TcError extends Error {
  readonly code: string;
  readonly source: ErrorSource;
  readonly hint: Hint | null;
  readonly exitCode: number;

  constructor(message: string, options: TcErrorOptions) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.source = options.source ?? "internal";
    this.hint = options.hint ?? null;
    this.exitCode = options.exitCode ?? EXIT.failed;
  }
}

/** The command line has wrong words. */
export class UsageError extends TcError {
  constructor(message: string, hint?: Hint) {
    super(message, {
      code: "usage",
      source: "user",
      exitCode: EXIT.usage,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/** A config file or value that cannot be used; it names file and key. */
export class ConfigError extends TcError {
  readonly file: string;
  readonly key: string | null;

  constructor(
    message: string,
    where: {
      readonly file: string;
      readonly key?: string;
      readonly hint?: Hint;
    },
  ) {
    super(message, {
      code: "bad_config",
      source: "user",
      exitCode: EXIT.badConfig,
      ...(where.hint === undefined ? {} : { hint: where.hint }),
    });
    this.file = where.file;
    this.key = where.key ?? null;
  }
}

/** Returns the text of an error of any kind, without the system's number. */
export function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replace(/ \(os error \d+\)$/, "");
}

/** Returns what to do after an error, in the shell of `person`, or null. */
export function hintOf(cause: unknown, person: PersonShell): string | null {
  if (!(cause instanceof TcError) || cause.hint === null) return null;
  return hintText(cause.hint, person);
}

/** Returns an error with its stack, for the log. */
export function stackOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.stack ?? cause.message;
}

/** The step of a send that failed; also its word in the log. */
export type UpstreamStep =
  | "resolve"
  | "connect"
  | "tls"
  | "proxy"
  | "write"
  | "head"
  | "body"
  | "aborted";

/** A request that got no complete answer. */
export class UpstreamError extends TcError {
  /** False only when provably no byte of the request left this machine. */
  readonly sent: boolean;
  readonly step: UpstreamStep;

  constructor(
    message: string,
    options: {
      readonly sent: boolean;
      readonly step: UpstreamStep;
      readonly cause?: unknown;
    },
  ) {
    super(message, {
      code: `upstream_${options.step}`,
      source: "upstream",
      cause: options.cause,
    });
    this.sent = options.sent;
    this.step = options.step;
  }
}

/** The vault cannot be read or written; nothing in it is lost by this. */
export class VaultError extends TcError {}

/** A sign-in that did not produce an account. */
export class LoginError extends TcError {}

/**
 * An account without a usable credential: `needs_login` if only a person can
 * help, else `credential_unavailable` until `retryAt`.
 */
export class CredentialError extends TcError {
  readonly accountId: AccountId;
  readonly retryAt: Instant | null;

  constructor(
    message: string,
    options: {
      readonly code: "needs_login" | "credential_unavailable";
      readonly accountId: AccountId;
      readonly retryAt: Instant | null;
      readonly hint?: Hint;
      readonly cause?: unknown;
    },
  ) {
    super(message, {
      code: options.code,
      source: "user",
      exitCode: options.code === "needs_login"
        ? EXIT.needsLogin
        : EXIT.tryLater,
      cause: options.cause,
      ...(options.hint === undefined ? {} : { hint: options.hint }),
    });
    this.accountId = options.accountId;
    this.retryAt = options.retryAt;
  }
}

/**
 * What swapping remembers between two runs: the credential that Claude Code has,
 * the next key in turn, and the `apiKeyHelper` to put back; and what swapping
 * needs from outside.
 *
 * @module
 */

import * as v from "valibot";
import { type AccountId, accountId } from "../core/account.ts";
import { type Instant, instantFromMs } from "../core/time.ts";
import type { Locks } from "../ports.ts";
import { PrivateJson } from "../store/files/private_json.ts";
import type { OAuthAccount } from "../claude/login/oauth_account.ts";
import type { AccountRecord } from "../store/accounts.ts";
import type { LivePlace } from "../auth/shared/live_place.ts";
import type { RefreshPorts } from "../auth/provider.ts";
import type { ClaudeFolder } from "../claude/claude_folder.ts";
import type { RouteSettings } from "../core/settings.ts";
import type { ForeignTexts } from "../store/files/foreign_text.ts";

/** The last answer of the usage endpoint, for use without the network. */
export interface SeenUsage {
  /** Used parts; null if unknown. */
  readonly fiveHour: number | null;
  readonly week: number | null;
  readonly fiveHourResetsAt: Instant | null;
  readonly weekResetsAt: Instant | null;
  readonly at: Instant;
}

export interface SwapState {
  /** Whether hooks may swap: only after a person has begun to. */
  readonly isOn: boolean;
  readonly mode: "account" | "apikey";
  /** The account whose login Claude Code has, if known. */
  readonly account: AccountId | null;
  /** The key that was handed out last. */
  readonly key: AccountId | null;
  /** The helper of another program that tc's helper replaces. */
  readonly savedHelper: string | null;
  /** When a swap was last decided automatically. */
  readonly swappedAt: Instant | null;
  /** When the usage endpoint was last asked, with or without an answer. */
  readonly askedAt: Instant | null;
  /** Until when a started run waits for a reset. */
  readonly wakeAt: Instant | null;
  readonly usage: Readonly<Record<string, SeenUsage>>;
  /**
   * Until when an account that refused a turn is passed over, by account id.
   */
  readonly limited: Readonly<Record<string, Instant>>;
  /** What Claude Code stored about each account, by account id. */
  readonly notes: Readonly<Record<string, OAuthAccount>>;
}

const NO_SWAP: SwapState = {
  isOn: false,
  mode: "account",
  account: null,
  key: null,
  savedHelper: null,
  swappedAt: null,
  askedAt: null,
  wakeAt: null,
  usage: {},
  limited: {},
  notes: {},
};

const instant = v.pipe(
  v.number(),
  v.finite(),
  v.transform((ms) => instantFromMs(ms)),
);
const optionalInstant = v.fallback(v.nullable(instant), null);
const part = v.fallback(v.nullable(v.pipe(v.number(), v.finite())), null);
const id = v.fallback(
  v.pipe(
    v.nullable(v.string()),
    v.transform((text) => text === null ? null : accountId(text)),
  ),
  null,
);

const usage = v.object({
  fiveHour: part,
  week: part,
  fiveHourResetsAt: optionalInstant,
  weekResetsAt: optionalInstant,
  at: instant,
});

const schema = v.object({
  isOn: v.fallback(v.boolean(), false),
  mode: v.fallback(v.picklist(["account", "apikey"]), "account"),
  account: id,
  key: id,
  savedHelper: v.fallback(v.nullable(v.string()), null),
  swappedAt: optionalInstant,
  askedAt: optionalInstant,
  wakeAt: optionalInstant,
  usage: v.fallback(v.record(v.string(), usage), {}),
  limited: v.fallback(v.record(v.string(), instant), {}),
  notes: v.fallback(
    v.record(v.string(), v.record(v.string(), v.unknown())),
    {},
  ),
});

/** The state in a private file, changed under its own lock. */
export class SwapMemory extends PrivateJson<SwapState> {
  constructor(file: string, locks: Locks) {
    super({
      file,
      locks,
      lock: "swap.state",
      empty: NO_SWAP,
      read(json) {
        const result = v.safeParse(schema, json);
        return result.success ? result.output : null;
      },
    });
  }
}

export interface SwapPorts extends RefreshPorts {
  /** Claude Code's own login. */
  readonly place: LivePlace;
  readonly folder: ClaudeFolder;
  readonly texts: ForeignTexts;
  readonly memory: SwapMemory;
  /** Returns the accounts of vault and config as they are now. */
  readonly accounts: () => Promise<readonly AccountRecord[]>;
  readonly settings: RouteSettings;
  /** The command line that prints a key, for `apiKeyHelper`. */
  readonly helper: string;
}

/** Lock of a whole swap; the state has its own, shorter lock. */
export const SWAP_LOCK = "swap";
export const SWAP_LOCK_WAIT_MS = 30_000;

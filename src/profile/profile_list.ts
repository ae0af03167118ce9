/**
 * The list of profiles, and which of them a new session should start in. A profile
 * is a name and an account; its config folder is named by the account, so that a
 * new name keeps the folder.
 *
 * @module
 */

import * as v from "valibot";
import {
  type Account,
  type AccountId,
  accountId,
  type ConversationId,
  type LeaseId,
} from "../core/account.ts";
import { EXIT, TcError, UsageError } from "../errors.ts";
import { ACCOUNT_NAME_MAX, inert, isAccountName } from "../core/plain_text.ts";
import type { Locks } from "../ports.ts";
import { PrivateJson } from "../store/files/private_json.ts";
import { ANY_REQUEST } from "../core/quota/capacity.ts";
import {
  emptyPool,
  type PoolState,
  reduce,
  snapshot,
} from "../core/pool/pool.ts";
import type { QuotaObservation } from "../core/quota/quota.ts";
import { route, type RouteQuery } from "../core/route/route.ts";
import type { RouteSettings } from "../core/settings.ts";
import { HOUR_MS, type Instant } from "../core/time.ts";
import { commandWord } from "../shell_words.ts";

export interface Profile {
  readonly name: string;
  /** Null until a login is saved for it. */
  readonly account: AccountId | null;
}

const row = v.object({
  name: v.pipe(v.string(), v.check(isProfileName)),
  account: v.pipe(
    v.nullable(v.string()),
    v.transform((text) => text === null ? null : accountId(text)),
  ),
});

const rows = v.array(row);

/** The list in a private file. */
export class ProfileList extends PrivateJson<readonly Profile[]> {
  constructor(file: string, locks: Locks) {
    super({
      file,
      locks,
      lock: "profiles",
      empty: [],
      read(json) {
        const result = v.safeParse(rows, json);
        return result.success ? result.output : null;
      },
    });
  }
}

/** Throws UsageError if `name` cannot be a profile's name. */
export function checkProfileName(name: string): void {
  if (isProfileName(name)) return;
  throw new UsageError(
    `Cannot name a profile ${
      inert(name) || '""'
    }: it must be 1 to ${ACCOUNT_NAME_MAX} visible characters and begin with no -`,
  );
}

/**
 * Returns whether `name` is usable: any account name, also an e-mail address,
 * but not an option.
 */
function isProfileName(name: string): boolean {
  return isAccountName(name) && !name.startsWith("-");
}

/** Returns the profile called `name`. Throws UsageError if there is none. */
export function findProfile(
  profiles: readonly Profile[],
  name: string,
): Profile {
  const found = profiles.find((profile) => profile.name === name);
  if (found !== undefined) return found;
  throw new TcError(`Cannot find the profile ${name}`, {
    code: "no_such_profile",
    source: "user",
    exitCode: EXIT.usage,
    hint: "tc profile list   names them\n" +
      "tc profile add   makes one of an account",
  });
}

/**
 * Returns `profiles` with `account` for `name`. Throws if that would mix two
 * accounts.
 */
export function bound(
  profiles: readonly Profile[],
  name: string,
  account: AccountId,
): readonly Profile[] {
  const other = profiles.find((profile) =>
    profile.account === account && profile.name !== name
  );
  if (other !== undefined) {
    throw new UsageError(
      `Cannot save the login as ${name}: it is stored as ${other.name} already`,
      `tc run --profile ${commandWord(other.name)}`,
    );
  }
  const known = profiles.find((profile) => profile.name === name);
  if (known?.account === account) return profiles;
  if (known !== undefined && known.account !== null) {
    throw new UsageError(
      `Cannot save the login as ${name}: it is of another account`,
      `claude /login   with the account of ${name} first`,
    );
  }
  return [
    ...profiles.filter((profile) => profile.name !== name),
    { name, account },
  ];
}

interface PickFacts {
  readonly accounts: readonly Account[];
  /** Usage figures of the accounts for which the endpoint answered. */
  readonly observations: readonly QuotaObservation[];
  /** The account of each running session. */
  readonly sessions: readonly AccountId[];
  readonly settings: RouteSettings;
  readonly at: Instant;
}

/** Returns the account to launch with; null if there is none. */
export function pickAccount(facts: PickFacts): AccountId | null {
  const { accounts, observations, sessions, settings, at } = facts;
  let pool = emptyPool(settings);
  for (const account of accounts) {
    pool = reduce(pool, { kind: "account_put", account, at });
  }
  for (const observation of observations) {
    pool = reduce(pool, { kind: "quota_observed", observation });
  }
  sessions.forEach((accountId, index) => {
    pool = withSession(pool, { accountId, index, at });
  });
  const decision = route(snapshot(pool, at), query(null));
  if (decision.kind === "use") return decision.accountId;
  // All are closed, but a launch needs one anyway.
  return fallback(facts);
}

function withSession(
  pool: PoolState,
  { accountId, index, at }: {
    readonly accountId: AccountId;
    readonly index: number;
    readonly at: Instant;
  },
): PoolState {
  const name = `session-${index}`;
  const leaseId = name as LeaseId;
  const opened = reduce(pool, {
    kind: "lease_opened",
    leaseId,
    accountId,
    query: query(name as ConversationId),
    at,
  });
  return reduce(opened, { kind: "lease_closed", leaseId, usage: null, at });
}

function fallback(
  { accounts, sessions, observations }: PickFacts,
): AccountId | null {
  const load = ({ id }: Account) =>
    sessions.filter((session) => session === id).length;
  const used = ({ id }: Account) =>
    Math.max(
      0,
      ...observations.filter(({ accountId }) => accountId === id)
        .flatMap(({ windows }) => windows)
        .filter(({ family }) => family === null)
        .map(({ utilization }) => utilization ?? 0),
    );
  const [best] = accounts.toSorted((a, b) =>
    a.priority - b.priority || used(a) - used(b) || load(a) - load(b)
  );
  return best?.id ?? null;
}

function query(conversation: ConversationId | null): RouteQuery {
  return { ...ANY_REQUEST, conversation, cacheTtlMs: HOUR_MS, isPrompt: true };
}

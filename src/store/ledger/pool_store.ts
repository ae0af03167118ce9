/**
 * The pool's memory across restarts: usage, learned sizes, bindings and the
 * pin. Unreadable parts are left out; they never stop a start.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import * as v from "valibot";
import {
  type Account,
  type AccountId,
  accountId,
  type ConversationId,
} from "../../core/account.ts";
import type { PersistedPool } from "../../core/pool/persist.ts";
import { PERSISTED_VERSION } from "../../core/pool/persist.ts";
import { POLICY_NAMES } from "../../core/settings.ts";
import { type Instant, instantFromMs } from "../../core/time.ts";

const MEMORY = "pool";
const LABELS = "labels";

const instant = v.pipe(v.number(), v.finite(), v.transform(instantFromMs));
const amount = v.pipe(v.number(), v.finite(), v.minValue(0));
const id = v.pipe(
  v.string(),
  v.rawTransform(({ dataset, addIssue, NEVER }): AccountId => {
    const parsed = accountId(dataset.value);
    if (parsed !== null) return parsed;
    addIssue({ message: "no account id" });
    return NEVER;
  }),
);
const conversation = v.pipe(
  v.string(),
  v.minLength(1),
  v.transform((text) => text as ConversationId),
);
const status = v.nullable(
  v.picklist(["allowed", "allowed_warning", "rejected"]),
);

const quotaWindow = v.object({
  key: v.string(),
  utilization: v.nullable(amount),
  status,
  lengthMs: amount,
  resetsAt: v.nullable(instant),
  observedAt: instant,
  source: v.picklist(["response_headers", "usage_endpoint"]),
  family: v.nullable(v.string()),
});

const lack = v.variant("kind", [
  v.object({ kind: v.literal("beta"), beta: v.string() }),
  v.object({ kind: v.literal("model"), model: v.string() }),
  v.object({
    kind: v.literal("size"),
    tokens: amount,
    isPaid: v.boolean(),
  }),
  v.object({ kind: v.literal("client"), client: v.string() }),
  v.object({ kind: v.literal("path"), path: v.string() }),
]);

const refusal = v.object({
  lack,
  since: instant,
  until: instant,
  said: v.nullable(v.string()),
});

const account = v.object({
  id,
  windows: v.array(quotaWindow),
  overage: v.nullable(v.object({ status, isInUse: v.boolean() })),
  learned: v.object({
    fiveHourTokens: v.nullable(amount),
    weekInFiveHours: v.nullable(amount),
    evidence: v.object({
      tokens: amount,
      fiveHourRise: amount,
      weekRise: amount,
    }),
  }),
  burn: v.array(v.object({ at: instant, tokens: amount })),
  cap: amount,
  lastThrottledAt: v.nullable(instant),
  lastUsedAt: v.nullable(instant),
  sharedUntil: v.record(v.string(), instant),
  refusals: v.optional(v.array(refusal), []),
});

const binding = v.object({
  conversation,
  accountId: id,
  parent: v.nullable(conversation),
  boundAt: instant,
  firstSeenAt: instant,
  lastUsedAt: instant,
  contextTokens: amount,
  estimatedTokens: amount,
  warmUntil: instant,
  family: v.nullable(v.string()),
  requests: amount,
  policy: v.optional(v.nullable(v.picklist(POLICY_NAMES)), null),
  elsewhere: v.array(
    v.object({ accountId: id, tokens: amount, warmUntil: instant }),
  ),
  burned: v.array(id),
});

const pool = v.object({
  version: v.literal(PERSISTED_VERSION),
  pin: v.nullable(id),
  primary: v.nullable(id),
  tokensPerHour: amount,
  lifeMs: amount,
  activeHours: v.array(v.number()),
  lastPromptAt: v.nullable(instant),
  accounts: v.array(v.unknown()),
  owned: v.optional(v.array(v.unknown()), []),
  bindings: v.array(v.unknown()),
});

/** The name of each account by id, including removed accounts. */
export type AccountLabels = Readonly<Record<string, string>>;

/** What was remembered, and when. */
interface PoolMemory {
  readonly savedAt: Instant;
  readonly pool: PersistedPool;
}

/** Returns a memory from JSON, without its damaged accounts and bindings. */
export function parsePool(text: string): PersistedPool | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = v.safeParse(pool, value);
  if (!parsed.success) return null;
  return {
    ...parsed.output,
    accounts: readable(account, parsed.output.accounts),
    owned: readable(v.tuple([v.string(), id, instant]), parsed.output.owned),
    bindings: readable(binding, parsed.output.bindings),
  };
}

function readable<const Schema extends v.GenericSchema>(
  schema: Schema,
  values: readonly unknown[],
): v.InferOutput<Schema>[] {
  return values.flatMap((value) => {
    const parsed = v.safeParse(schema, value);
    return parsed.success ? [parsed.output] : [];
  });
}

export class PoolStore {
  readonly #database: DatabaseSync;
  readonly #writer: string;

  /** `writer` names this run: of two servers, the later one's memory counts. */
  constructor(database: DatabaseSync, writer: string) {
    this.#database = database;
    this.#writer = writer;
  }

  /** Returns what the last run left, or null. */
  read(): PoolMemory | null {
    return readMemory(this.#database);
  }

  /**
   * From now on this run writes the memory, and an earlier run no longer does.
   */
  claim(at: Instant): void {
    this.#database.prepare(
      "INSERT INTO memories (name, writer, saved_at, value) VALUES (?, ?, ?, '') ON CONFLICT (name) DO UPDATE SET writer = excluded.writer",
    ).run(MEMORY, this.#writer, at);
  }

  /** Saves the memory; returns false if another run has taken it over. */
  save(pool: PersistedPool, at: Instant): boolean {
    const { changes } = this.#database.prepare(
      `INSERT INTO memories (name, writer, saved_at, value) VALUES (?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE
       SET value = excluded.value, saved_at = excluded.saved_at
       WHERE writer = excluded.writer`,
    ).run(MEMORY, this.#writer, at, JSON.stringify(pool));
    return changes === 1;
  }

  /** Adds the names of `accounts` to the known ones. */
  nameAccounts(accounts: readonly Account[], at: Instant): void {
    const known = readLabels(this.#database);
    const now = Object.fromEntries(
      accounts.map(({ id, label }) => [id, label]),
    );
    // The keys stand in the order of the accounts; removed ones come last.
    const labels = { ...now, ...known, ...now };
    this.#database.prepare(
      "INSERT OR REPLACE INTO memories (name, writer, saved_at, value) VALUES (?, ?, ?, ?)",
    ).run(LABELS, this.#writer, at, JSON.stringify(labels));
  }
}

function readMemory(database: DatabaseSync): PoolMemory | null {
  const row = database.prepare(
    "SELECT saved_at, value FROM memories WHERE name = ?",
  ).get(MEMORY);
  const pool = parsePool(String(row?.["value"] ?? ""));
  if (row === undefined || pool === null) return null;
  return { pool, savedAt: instantFromMs(Number(row["saved_at"])) };
}

/** Returns the accounts that the last server served. */
export function rememberedAccounts(
  database: DatabaseSync,
): readonly AccountId[] {
  return readMemory(database)?.pool.accounts.map(({ id }) => id) ?? [];
}

/**
 * Forgets the account `id`, which was removed on purpose while no server ran;
 * otherwise the next server would report its login as lost.
 */
export function forgetAccount(database: DatabaseSync, id: AccountId): void {
  const memory = readMemory(database);
  if (memory === null) return;
  const accounts = memory.pool.accounts.filter((one) => one.id !== id);
  if (accounts.length === memory.pool.accounts.length) return;
  database.prepare("UPDATE memories SET value = ? WHERE name = ?")
    .run(JSON.stringify({ ...memory.pool, accounts }), MEMORY);
}

/** Returns the names of accounts by id, as the last servers knew them. */
export function readLabels(database: DatabaseSync): AccountLabels {
  const row = database.prepare("SELECT value FROM memories WHERE name = ?")
    .get(LABELS);
  try {
    const value: unknown = JSON.parse(String(row?.["value"] ?? "{}"));
    return v.parse(v.record(v.string(), v.string()), value);
  } catch {
    return {};
  }
}

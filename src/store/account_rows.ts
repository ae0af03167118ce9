/**
 * `accounts[]` of the config: a person's settings for each account. Credentials
 * are not here. Rows of other tools are read, and tokens in them are noticed.
 *
 * @module
 */

import * as v from "valibot";
import { type AccountId, accountId, type SpendLimit } from "../core/account.ts";
import { accountName } from "../core/plain_text.ts";
import { PLAN_PRICE_MAX } from "../core/plans.ts";
import { spendLimit } from "../core/quota/spending.ts";
import { ConfigError } from "../errors.ts";
import type { ConfigDocument } from "./config_file.ts";

/** One row of the config. Null where the row says nothing. */
export interface AccountRow {
  readonly index: number;
  readonly id: AccountId | null;
  readonly name: string | null;
  readonly accountUuid: string | null;
  readonly organizationUuid: string | null;
  readonly priority: number;
  readonly enabled: boolean;
  /** Most requests in flight. */
  readonly leasesMax: number | null;
  /** Utilization above which the account gets no new work. */
  readonly capUtilization: number | null;
  /** The most that it may cost, such as 20 dollars a day. */
  readonly maxCost: SpendLimit | null;
  /** What its plan costs a month in dollars, if a person says so. */
  readonly planPrice: number | null;
  /** Origin of a third-party backend. */
  readonly upstream: string | null;
  readonly modelMap: Readonly<Record<string, string>> | null;
  /** Whether a token is in the config; `tc import` moves it into the vault. */
  readonly hasSecret: boolean;
}

export const LEASES_MAX = 1_000;

/** Keys of other tools' rows that hold secrets. */
const SECRET_KEYS = ["accessToken", "refreshToken", "apiKey"];

const row = v.looseObject({
  id: v.optional(v.pipe(
    v.string(),
    v.check(
      (id) => accountId(id) !== null,
      "lower-case letters, digits, - and _, at most 64",
    ),
  )),
  // A name that no account can have invalidates the name, never the config.
  name: v.optional(v.unknown()),
  accountUuid: v.nullish(v.string()),
  orgUuid: v.nullish(v.string()),
  priority: v.optional(v.pipe(v.number(), v.finite()), 0),
  enabled: v.optional(v.boolean(), true),
  disabled: v.optional(v.boolean(), false),
  maxInFlight: v.nullish(
    v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(LEASES_MAX)),
  ),
  capUtilization: v.nullish(
    v.pipe(v.number(), v.gtValue(0), v.maxValue(1)),
  ),
  maxCost: v.nullish(
    v.pipe(v.string(), v.check((text) => spendLimit(text) !== null)),
  ),
  planPrice: v.nullish(
    v.pipe(v.number(), v.minValue(0), v.maxValue(PLAN_PRICE_MAX)),
  ),
  upstream: v.nullish(v.pipe(v.string(), v.check(isOrigin, "an http URL"))),
  modelMap: v.nullish(v.record(v.string(), v.string())),
});

/** What each key may be, for the error that refuses anything else. */
const ALLOWED: Readonly<Record<string, string>> = {
  id: "lower-case letters, digits, - and _, at most 64",
  accountUuid: "text",
  orgUuid: "text",
  priority: "a number, lower goes first",
  enabled: "true or false",
  disabled: "true or false",
  maxInFlight: `a whole number from 1 to ${LEASES_MAX}, or null`,
  capUtilization: "a number above 0 and up to 1, or null",
  maxCost: "dollars a day, week or month such as 20/day, or null",
  planPrice: "dollars a month such as 150, or null",
  upstream: "a URL such as https://api.example.com, or null",
  modelMap: "an object of model names, or null",
};

/**
 * Returns the rows of `document`, or null if it has no `accounts`. Throws
 * ConfigError that names file, key and what is allowed.
 */
export function accountRows(
  document: ConfigDocument,
  file: string,
): readonly AccountRow[] | null {
  const { accounts } = document;
  if (accounts === undefined) return null;
  if (!Array.isArray(accounts)) throw fault(file, "accounts", "a list");
  return accounts.map((value, index) => parseRow(value, index, file));
}

function parseRow(value: unknown, index: number, file: string): AccountRow {
  const result = v.safeParse(row, value);
  if (!result.success) {
    const key = String(result.issues[0].path?.[0]?.key ?? "");
    const where = key === "" ? "" : `.${key}`;
    throw fault(
      file,
      `accounts[${index}]${where}`,
      ALLOWED[key] ?? "an object",
    );
  }
  const { output } = result;
  return {
    index,
    id: output.id === undefined ? null : accountId(output.id),
    name: typeof output.name === "string"
      ? accountName(output.name, "") || null
      : null,
    accountUuid: output.accountUuid ?? null,
    organizationUuid: output.orgUuid ?? null,
    priority: output.priority,
    enabled: output.enabled && !output.disabled,
    leasesMax: output.maxInFlight ?? null,
    capUtilization: output.capUtilization ?? null,
    maxCost: spendLimit(output.maxCost ?? ""),
    planPrice: output.planPrice ?? null,
    upstream: output.upstream ?? null,
    modelMap: output.modelMap ?? null,
    hasSecret: SECRET_KEYS.some((key) => typeof output[key] === "string"),
  };
}

function isOrigin(value: string): boolean {
  return /^https?:$/.test(URL.parse(value)?.protocol ?? "");
}

function fault(file: string, key: string, allowed: string): ConfigError {
  return new ConfigError(
    `Cannot use ${key} in ${file}: it must be ${allowed}`,
    {
      file,
      key,
    },
  );
}

/**
 * The config file as a JSON schema, for editors that complete and check it. It
 * is made from the table of settings, so it allows what the reader allows.
 *
 * @module
 */

import type * as v from "valibot";
import { PLAN_PRICE_MAX } from "../core/plans.ts";
import { LEASES_MAX } from "../store/account_rows.ts";
import { settingRows } from "./settings.ts";

type Schema = Readonly<Record<string, unknown>>;

/** The file beside a config that its `$schema` names. */
export const SCHEMA_FILE = "tc.schema.json";

/** Returns the schema of the config file (JSON Schema, draft 2020-12). */
export function configSchema(): Schema {
  const properties: Record<string, Schema> = {
    $schema: { type: "string", description: "The schema of this file" },
  };
  const sections = new Map<string, Record<string, Schema>>();
  for (const row of settingRows()) {
    const schema = {
      ...valueSchema(row.schema),
      ...(row.isUrl ? { pattern: URL_PATTERN } : {}),
      ...(row.isKey ? { pattern: KEY_PATTERN } : {}),
      default: row.fallback,
      description: `${row.help} (${row.variable})`,
    };
    const [section = "", name] = row.key.split(".");
    if (name === undefined) {
      properties[section] = schema;
      continue;
    }
    const inner = sections.get(section) ?? {};
    inner[name] = schema;
    sections.set(section, inner);
    properties[section] = { type: "object", properties: inner };
  }
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Settings of tc",
    type: "object",
    properties: { ...properties, accounts: ACCOUNTS },
  };
}

const URL_PATTERN = "^$|^https?://[^/?#@\\s]+(/[^?#\\s]*)?$";
const KEY_PATTERN = "^$|^[A-Za-z0-9_-]{8,256}$";

/** The rows of accounts. Unknown keys are allowed: other tools write some. */
const ACCOUNTS: Schema = {
  type: "array",
  description: "What you set about each account; credentials are not here",
  items: {
    type: "object",
    properties: {
      id: { type: "string" },
      name: { type: "string" },
      enabled: { type: "boolean", default: true },
      priority: { type: "number", description: "Lower goes first", default: 0 },
      maxInFlight: {
        type: ["integer", "null"],
        minimum: 1,
        maximum: LEASES_MAX,
        description: "Most requests in flight",
      },
      capUtilization: {
        type: ["number", "null"],
        exclusiveMinimum: 0,
        maximum: 1,
        description: "Utilization above which the account gets no new work",
      },
      maxCost: {
        type: ["string", "null"],
        pattern: "^\\$?\\d{1,7}(\\.\\d{1,2})?/(day|week|month)$",
        description: "Most dollars it may cost: 20/day",
      },
      planPrice: {
        type: ["number", "null"],
        minimum: 0,
        maximum: PLAN_PRICE_MAX,
        description: "What its plan costs, in dollars a month",
      },
      upstream: {
        type: ["string", "null"],
        description: "Origin of a third-party backend",
      },
      modelMap: {
        type: ["object", "null"],
        additionalProperties: { type: "string" },
        description: "Model names that a backend wants instead",
      },
    },
  },
};

/** Returns the part of the schema that a setting's own check decides. */
export function valueSchema(schema: v.GenericSchema): Schema {
  const { type, pipe, options, items, value, item, entries, wrapped } =
    schema as unknown as {
      readonly type: string;
      readonly item?: v.GenericSchema;
      readonly entries?: Readonly<Record<string, v.GenericSchema>>;
      readonly wrapped?: v.GenericSchema;
      readonly pipe?: readonly v.GenericSchema[];
      readonly options?: readonly string[];
      readonly items?: readonly v.GenericSchema[];
      readonly value?: v.GenericSchema;
    };
  if (wrapped !== undefined) {
    const inner = valueSchema(wrapped);
    return type === "nullable" ? { anyOf: [inner, { type: "null" }] } : inner;
  }
  if (entries !== undefined) return objectSchema(entries);
  if (item !== undefined) {
    const rest = (pipe ?? []).filter((one) => one.kind !== "schema").map(check);
    return Object.assign(
      { type: "array", items: valueSchema(item) },
      ...rest.map(({ minLength, maxLength }) => ({
        ...(minLength === undefined ? {} : { minItems: minLength }),
        ...(maxLength === undefined ? {} : { maxItems: maxLength }),
      })),
    );
  }
  const checks = (pipe ?? []).filter((item) => item !== schema)
    .map((item, index) =>
      index === 0 && item.kind === "schema" ? valueSchema(item) : check(item)
    );
  return Object.assign({}, base(type, options, items, value), ...checks);
}

/** Returns the schema of an object that allows no other fields. */
function objectSchema(
  entries: Readonly<Record<string, v.GenericSchema>>,
): Schema {
  const all = Object.entries(entries);
  return {
    type: "object",
    properties: Object.fromEntries(
      all.map(([name, entry]) => [name, valueSchema(entry)]),
    ),
    required: all.filter(([, entry]) => entry.type !== "optional")
      .map(([name]) => name),
    additionalProperties: false,
  };
}

function base(
  type: string,
  options: readonly string[] | undefined,
  items: readonly v.GenericSchema[] | undefined,
  value: v.GenericSchema | undefined,
): Schema {
  switch (type) {
    case "picklist":
      return { enum: options };
    case "strict_tuple":
      return {
        type: "array",
        prefixItems: (items ?? []).map(valueSchema),
        minItems: items?.length,
        maxItems: items?.length,
      };
    case "record":
      return {
        type: "object",
        additionalProperties: value === undefined ? true : valueSchema(value),
      };
    default:
      return { type };
  }
}

/** Returns one check of a pipe in the words of JSON Schema. */
function check(item: unknown): Schema {
  const { type, requirement } = item as {
    readonly type: string;
    readonly requirement?: unknown;
  };
  switch (type) {
    case "integer":
      return { type: "integer" };
    case "min_value":
      return { minimum: requirement };
    case "gt_value":
      return { exclusiveMinimum: requirement };
    case "regex":
      return { pattern: (requirement as RegExp).source };
    case "max_value":
      return { maximum: requirement };
    case "min_length":
      return { minLength: requirement };
    case "max_length":
      return { maxLength: requirement };
    default:
      return {};
  }
}

/**
 * `docs/openapi.json`: the admin API, made from its table of routes, the types
 * of its answers and the schemas that check its bodies.
 */

import {
  createGenerator,
  type Schema as TypeSchema,
} from "ts-json-schema-generator";
import { valueSchema } from "../../src/config/json_schema.ts";
import { SIMULATION_QUESTION } from "../../src/control/history/simulation_view.ts";
import { REPORT_KINDS, SPLITS } from "../../src/control/history/report_view.ts";
import { CONTROL } from "../../src/control/protocol.ts";
import { CHANGE } from "../../src/control/routes.ts";
import { POLICY_NAMES } from "../../src/core/settings.ts";
import { ROOT } from "../fixtures/paths.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import type { ApiRoute } from "./references.ts";

type Json = Readonly<Record<string, unknown>>;

/** How the generator must read the sources, as Deno does. */
const COMPILER = {
  compilerOptions: {
    target: "esnext",
    module: "esnext",
    moduleResolution: "bundler",
    allowImportingTsExtensions: true,
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
  },
};

/** Returns the schema of every answer, by the name of its type. */
export async function answerSchemas(): Promise<
  Readonly<Record<string, unknown>>
> {
  await using folder = new TempFolder();
  const tsconfig = folder.join("tsconfig.json");
  await Deno.writeTextFile(tsconfig, JSON.stringify(COMPILER));
  const made: TypeSchema = createGenerator({
    path: `${ROOT}tests/docs/api_shapes.ts`,
    tsconfig,
    skipTypeCheck: true,
    // Within v1 fields are only added, so a client must allow for more.
    additionalProperties: true,
  }).createSchema("*");
  const text = JSON.stringify(made.definitions ?? {})
    .replaceAll("#/definitions/", "#/components/schemas/");
  // The generator writes tuples as an older JSON Schema does.
  return JSON.parse(text, (_key, value) => {
    if (!Array.isArray(value?.items)) return value;
    const { items, ...rest } = value;
    return { ...rest, prefixItems: items };
  });
}

const TEXT = { type: "string" };
const DAYS = { type: "integer", minimum: 1, default: 14 };

/** What a query may hold, by path. */
const QUERIES: Readonly<Record<string, Readonly<Record<string, Json>>>> = {
  [CONTROL.glance]: { session: TEXT },
  [CONTROL.explain]: { of: TEXT },
  [CONTROL.stop]: { now: { type: "string", enum: ["1"] } },
  [CONTROL.quota]: { days: { ...DAYS, maximum: 60 } },
  [CONTROL.turns]: {
    session: TEXT,
    days: { ...DAYS, maximum: 3_650 },
  },
  [CONTROL.report]: {
    by: { enum: REPORT_KINDS.filter((kind) => kind !== "issue") },
    days: { ...DAYS, maximum: 3_650 },
    tz: { ...TEXT, default: "UTC" },
    project: TEXT,
    session: TEXT,
    machine: TEXT,
    split: { enum: SPLITS },
  },
};

function fields(
  properties: Readonly<Record<string, Json>>,
  required: readonly string[] = [],
): Json {
  return { type: "object", properties, required };
}

const MAYBE = { type: ["string", "null"] };

/** What a body must be, by method and path. */
const BODIES: Readonly<Record<string, Json>> = {
  [`POST ${CONTROL.link}`]: fields({}),
  [`POST ${CONTROL.simulate}`]: valueSchema(SIMULATION_QUESTION),
  [`PATCH ${CONTROL.accounts}/:account`]: valueSchema(CHANGE),
  [`DELETE ${CONTROL.accounts}/:account`]: fields({
    force: { type: "boolean" },
  }),
  [`PUT ${CONTROL.pin}`]: fields({ account: MAYBE }, ["account"]),
  [`PUT ${CONTROL.policy}`]: fields({ policy: { enum: POLICY_NAMES } }, [
    "policy",
  ]),
  [`POST ${CONTROL.call}`]: fields({
    path: { type: "string", pattern: "^/(?!/)" },
    method: TEXT,
    data: TEXT,
    account: MAYBE,
  }, ["path"]),
  [`POST ${CONTROL.hook}`]: fields({
    hook: TEXT,
    session: MAYBE,
    source: MAYBE,
    error: MAYBE,
    trigger: MAYBE,
    project: MAYBE,
  }, ["hook"]),
};

/** Returns the whole description. */
export async function openApi(routes: readonly ApiRoute[]): Promise<Json> {
  const schemas = await answerSchemas();
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    const methods = paths[path] ??= {};
    methods[route.method.toLowerCase()] = operation(route, schemas);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "tc admin API",
      version: "1",
      description: "What the server of tc answers itself, on this machine. " +
        "Within v1 fields are only added. Made by `deno task docs`.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "http://127.0.0.1:3456" }],
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: {
        key: { type: "apiKey", in: "header", name: "x-tc-key" },
      },
      schemas,
    },
  };
}

function operation(route: ApiRoute, schemas: Json): Json {
  const { method, path, does } = route;
  const named = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: TEXT,
  }));
  const queried = Object.entries(QUERIES[path] ?? {}).map((
    [name, schema],
  ) => ({ name, in: "query", required: false, schema }));
  const parameters = [...named, ...queried];
  const body = BODIES[`${method} ${path}`];
  return {
    operationId: `${method.toLowerCase()}${
      path.split("/").map((part) =>
        part.replace(/\W/g, "").replace(/^./, (c) => c.toUpperCase())
      ).join("")
    }`,
    summary: does,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : {
      requestBody: {
        required: true,
        content: { "application/json": { schema: body } },
      },
    }),
    responses: {
      200: { description: does, content: answerOf(route, schemas) },
      default: {
        description: "An error, with what to do",
        content: json({ $ref: "#/components/schemas/ErrorView" }),
      },
    },
  };
}

function json(schema: Json): Json {
  return { "application/json": { schema } };
}

function answerOf({ answers }: ApiRoute, schemas: Json): Json {
  if (answers in schemas) {
    return json({ $ref: `#/components/schemas/${answers}` });
  }
  if (answers.includes("/v1")) {
    return json(fields({ schema: { const: answers } }, ["schema"]));
  }
  return { [answers.includes("/") ? answers : "*/*"]: {} };
}

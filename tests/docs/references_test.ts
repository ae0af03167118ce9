/** The generated pages say what the code does, and the schema checks configs. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { configSchema } from "../../src/config/json_schema.ts";
import { settingRows } from "../../src/config/settings.ts";
import type { CommandText, Registry } from "../../src/cli/registry.ts";
import { commandTree } from "../../src/cli/root.ts";
import { ROOT } from "../fixtures/paths.ts";
import { API, references } from "./references.ts";

async function texts(): Promise<ReadonlyMap<string, CommandText>> {
  const registry: Registry = {
    environment: {},
    system: "linux",
    texts: new Map(),
    run: () => async () => {},
  };
  await commandTree(registry, ["man"]);
  return registry.texts;
}

Deno.test("docs/settings.md, cli.md, http-api.md, openapi.json and tc.schema.json are the code's", async () => {
  for (const [path, made] of await references(await texts())) {
    const file = `${ROOT}${path}`;
    if (Deno.env.get("TC_TEST_DOCS")) {
      await Deno.writeTextFile(file, made);
      continue;
    }
    const written = await Deno.readTextFile(file);
    ok(plain(written) === plain(made), `${path} is old: deno task docs`);
  }
});

/** Without what the formatter changes: blanks, and the width of tables. */
function plain(text: string): string {
  return text.replace(/\s+/g, " ").replace(/\| :?-+:? (?=\|)/g, "| --- ")
    .replace(/\s/g, "").replace(/-{3,}/g, "---");
}

Deno.test("the API page names every route of the router", () => {
  const router = Deno.readTextFileSync(`${ROOT}src/control/routes.ts`);
  const registered = router.match(/\bapp\.(get|post|put|patch|delete)\(/g) ??
    [];
  strictEqual(API.length, registered.length);
  for (const { method, path } of API) ok(path.startsWith("/"), method);
});

const ajv = new Ajv2020({ allErrors: true });
const isConfig = ajv.compile(configSchema());

Deno.test("the schema accepts every default and an empty config", () => {
  ok(isConfig({}), ajv.errorsText(isConfig.errors));
  const document: Record<string, unknown> = {};
  for (const { key, fallback } of settingRows()) {
    const [section = "", name] = key.split(".");
    if (name === undefined) document[section] = fallback;
    else {
      const inner = (document[section] ?? {}) as Record<string, unknown>;
      document[section] = { ...inner, [name]: fallback };
    }
  }
  ok(isConfig(document), ajv.errorsText(isConfig.errors));
  ok(isConfig({ ofAnotherTool: 1, accounts: [{ name: "a", priority: 2 }] }));
});

Deno.test("the schema refuses what the reader refuses", () => {
  const faults: readonly (readonly [unknown, string])[] = [
    [{ proxy: { port: 70_000 } }, "/proxy/port"],
    [{ proxy: { port: "3456" } }, "/proxy/port"],
    [{ proxy: { port: 1.5 } }, "/proxy/port"],
    [{ proxy: { apiKey: "short" } }, "/proxy/apiKey"],
    [{ upstream: "ftp://a" }, "/upstream"],
    [{ routing: { policy: "random" } }, "/routing/policy"],
    [{ hold: { maxMs: -1 } }, "/hold/maxMs"],
    [{ usage: { poll: "yes" } }, "/usage/poll"],
    [{ pricing: { opus: [1] } }, "/pricing/opus"],
    [{ accounts: [{ maxInFlight: 0 }] }, "/accounts/0/maxInFlight"],
    [{ accounts: {} }, "/accounts"],
  ];
  for (const [document, place] of faults) {
    ok(!isConfig(document), `${JSON.stringify(document)} was accepted`);
    deepStrictEqual(
      isConfig.errors?.map(({ instancePath }) => instancePath).includes(place),
      true,
      place,
    );
  }
});

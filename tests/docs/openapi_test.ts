/** The OpenAPI file is valid, and a running server answers as it says. */

import "../fixtures/clean_environment.ts";
import { ok, strictEqual } from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { ROOT } from "../fixtures/paths.ts";
import { CONTROL } from "../../src/control/protocol.ts";
import { ServedPool } from "../fixtures/served_pool.ts";
import { API } from "./references.ts";

interface OpenApi {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, unknown>>>
  >;
}

async function written(): Promise<OpenApi> {
  return JSON.parse(await Deno.readTextFile(`${ROOT}docs/openapi.json`));
}

Deno.test("docs/openapi.json is an OpenAPI 3.1 description of every route", async () => {
  const file = await written();
  const { valid, errors } = await new Validator().validate(
    structuredClone(file) as never,
  );
  ok(valid, JSON.stringify(errors));
  const operations = Object.values(file.paths)
    .reduce((sum, path) => sum + Object.keys(path).length, 0);
  strictEqual(operations, API.length);
  const broken = structuredClone(file) as unknown as Record<string, unknown>;
  delete broken["info"];
  const wrong = await new Validator().validate(broken as never);
  ok(!wrong.valid, "the validator finds a fault");
});

const SESSION = "aaaaaaaa-1111-4222-8333-444444444444";

Deno.test("a running server answers as docs/openapi.json says", async () => {
  await using served = await ServedPool.open({ accounts: ["work", "home"] });
  const { baseUrl, origin } = served;
  const key = baseUrl.slice(baseUrl.lastIndexOf("/") + 1);
  const file = await written();
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(file, "api");
  const headers = {
    "x-tc-key": key,
    "content-type": "application/json",
    "x-claude-code-session-id": SESSION,
  };
  const message = await fetch(`${origin}/v1/messages`, {
    method: "POST",
    headers,
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 20,
      messages: [{ role: "user", content: "hi" }],
      tools: [{ name: "Bash", input_schema: {} }],
    }),
  });
  await message.text();
  let checked = 0;
  for (const { method, path, answers } of API) {
    if (method !== "GET" || !answers.endsWith("View")) continue;
    const query = path === CONTROL.turns ? `?session=${SESSION}` : "";
    const response = await fetch(`${origin}${path}${query}`, { headers });
    const view: unknown = await response.json();
    strictEqual(response.status, 200, `${path}: ${JSON.stringify(view)}`);
    const isView = ajv.compile({ $ref: `api#/components/schemas/${answers}` });
    ok(isView(view), `${path}: ${ajv.errorsText(isView.errors)}`);
    ok(!isView({ ...Object(view), schema: "another/v1", at: 1 }), path);
    checked += 1;
  }
  ok(checked >= 10, `${checked}`);
  const lost = await fetch(`${origin}/tc/v1/nothing`, { headers });
  const isError = ajv.compile({ $ref: "api#/components/schemas/ErrorView" });
  ok(isError(await lost.json()));
});

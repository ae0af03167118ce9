/** A thread of the official SDK whose account is spent goes on elsewhere. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { clientVariables } from "../../src/cli/launch/env.ts";
import { clientFolder } from "../fixtures/client_package.ts";
import {
  errorBody,
  LOCAL_KEY,
  ProxyKit,
  spentHeaders,
} from "../fixtures/proxy_kit.ts";
import { startScriptedOrigin } from "../fixtures/scripted_origin.ts";
import { run } from "./compare.ts";
import { scriptedProvider } from "./provider.ts";
import { credentialOf, previousOf } from "./thread_book.ts";

Deno.test("a spent account's thread is sent whole to another, by the SDK itself", async () => {
  await using origin = startScriptedOrigin();
  const provider = scriptedProvider();
  let spent: string | null = null;
  const turns: [kind: string, isSpent: boolean, messages: number][] = [];
  origin.always((request) => {
    const body = JSON.parse(new TextDecoder().decode(request.body));
    if (JSON.stringify(body.messages).includes("spent now")) {
      spent ??= credentialOf(request);
    }
    const isSpent = credentialOf(request) === spent;
    const kind = previousOf(body) === null ? "create" : "continue";
    turns.push([kind, isSpent, body.messages.length]);
    return isSpent
      ? {
        status: 429,
        headers: spentHeaders(3_600),
        body: errorBody("rate_limit_error"),
      }
      : provider(request);
  });
  await using kit = new ProxyKit({ origin: origin.url });
  const printed = await run(
    await clientFolder("anthropic"),
    "thread_moves.mjs",
    clientVariables("sdk", { origin: kit.url, key: LOCAL_KEY }),
  );
  const content = '[{"type":"text","text":"plain words"}]';
  strictEqual(printed, `spent now 4 ${content}\ngo on 6 ${content}\n`);
  deepStrictEqual(turns, [
    ["create", false, 1],
    ["continue", true, 1],
    ["create", false, 3],
    ["continue", false, 1],
  ]);
  await kit.isEmpty();
});

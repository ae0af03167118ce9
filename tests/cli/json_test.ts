/** What every `--json` prints: a schema, camelCase names, whole milliseconds. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok } from "node:assert/strict";
import { messageBody } from "../fixtures/demo_message.ts";
import { listening } from "../fixtures/listening.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const COMMANDS: readonly (readonly string[])[] = [
  ["status"],
  ["accounts", "-v"],
  ["capacity"],
  ["explain"],
  ["report"],
  ["report", "session"],
  ["prices"],
  ["prices", "plan"],
  ["paths"],
  ["version"],
  ["config", "show"],
  ["swap", "list"],
  ["swap", "status"],
  ["priority", "console"],
  ["pin"],
  ["demo", "--list"],
  ["doctor"],
  ["remove", "nobody"],
];

/** Objects whose keys are names of people or of the provider, not ours. */
const FREE = /\.(settings|origins|values|own|variables|terms)$|\.settings\./;

function faultsIn(value: unknown, path: string): readonly string[] {
  if (Array.isArray(value)) {
    return value.flatMap((each) => faultsIn(each, `${path}[]`));
  }
  if (typeof value === "number") {
    return /\.(ms|\w+Ms)$/.test(path) && !Number.isInteger(value)
      ? [`${path}: ${value} is no whole millisecond`]
      : [];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => [
    ...FREE.test(path) || /^[a-z][A-Za-z0-9]*$/.test(key)
      ? []
      : [`${path}.${key} is not camelCase`],
    ...faultsIn(each, `${path}.${key}`),
  ]);
}

Deno.test("every command's JSON has a schema, camelCase names and whole milliseconds", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_20x" });
  api.account("console", { kind: "api_key" });
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(pool.port);
  const answer = await fetch(`${await pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: messageBody({ session: "5f2c-main" }),
  });
  await answer.text();
  await new Promise((resolve) => setTimeout(resolve, 700));
  const faults: string[] = [];
  for (const command of COMMANDS) {
    const { stdout } = await pool.tc([...command, "--json"]);
    const name = command.join(" ");
    ok(stdout.startsWith("{"), `${name}: ${stdout.slice(0, 80)}`);
    const value = JSON.parse(stdout);
    if (value.error === undefined) {
      match(value.schema, /^tc\.[a-z_]+\/v1$/, name);
    } else {
      deepStrictEqual(Object.keys(value.error).toSorted(), [
        "code",
        "hint",
        "message",
      ]);
    }
    faults.push(...faultsIn(value, name));
  }
  deepStrictEqual(faults, []);
  await pool.tc(["stop"]);
  await server.status;
});

/** What outranks a stored login, and which layer has the last word. */

import { deepStrictEqual } from "node:assert/strict";
import type { SettingsLayer } from "../../src/claude/client_settings.ts";
import { loginRivals, rivalText } from "../../src/claude/login/own_login.ts";

const OURS = "/opt/tc swap helper";

function layer(
  source: string,
  change: Partial<SettingsLayer>,
): SettingsLayer {
  return {
    source,
    isManaged: false,
    env: {},
    model: null,
    keyHelper: null,
    ...change,
  };
}

Deno.test("loginRivals() names what outranks a login, by the layer that has the last word", () => {
  const key = { ANTHROPIC_API_KEY: "k" };
  const table: readonly (readonly [
    Record<string, string>,
    readonly SettingsLayer[],
    readonly string[],
  ])[] = [
    [{}, [], []],
    [{ PATH: "/bin", ANTHROPIC_BASE_URL: "http://x" }, [], []],
    [key, [], ["ANTHROPIC_API_KEY in the environment"]],
    [{ ANTHROPIC_AUTH_TOKEN: "t" }, [], [
      "ANTHROPIC_AUTH_TOKEN in the environment",
    ]],
    // What a launch of ours made up is none.
    [{ ANTHROPIC_AUTH_TOKEN: "tc-local" }, [], []],
    [{ CLAUDE_CODE_OAUTH_TOKEN: "tc-local" }, [], []],
    [{ CLAUDE_CODE_USE_BEDROCK: "1" }, [], [
      "CLAUDE_CODE_USE_BEDROCK in the environment",
    ]],
    [{ CLAUDE_CODE_USE_BEDROCK: "0" }, [], []],
    [{}, [layer("user", { env: key })], ["ANTHROPIC_API_KEY in user"]],
    [key, [layer("project", { env: key })], ["ANTHROPIC_API_KEY in project"]],
    // A higher layer takes it back.
    [{}, [
      layer("user", { env: key }),
      layer("local", { env: { ANTHROPIC_API_KEY: "" } }),
    ], []],
    [{}, [layer("user", { keyHelper: "cat /key" })], ["apiKeyHelper in user"]],
    [{}, [layer("user", { keyHelper: OURS })], []],
    [{}, [
      layer("user", { keyHelper: OURS }),
      layer("managed", { keyHelper: "cat /key", isManaged: true }),
    ], ["apiKeyHelper in managed"]],
  ];
  for (const [environment, layers, expected] of table) {
    deepStrictEqual(
      loginRivals(environment, layers, OURS).map(rivalText),
      expected,
      JSON.stringify([environment, layers]),
    );
  }
});

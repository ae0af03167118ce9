/** What a launch sets, and what of the client's settings it outranks. */

import {
  deepStrictEqual,
  match,
  strictEqual,
  throws,
} from "node:assert/strict";
import { dirname } from "node:path";
import {
  readSettings,
  type SettingsLayer,
} from "../../src/claude/client_settings.ts";
import {
  keyInHeaders,
  type LaunchFacts,
  launchVariables,
  planExports,
  planLaunch,
  PROVIDER_SWITCHES,
  withoutLaunchHeaders,
} from "../../src/claude/launch_variables.ts";
import { withSettings } from "../../src/cli/launch/run.ts";
import { TcError } from "../../src/errors.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const KEY = "tc-test-key-0001";
const ORIGIN = "http://127.0.0.1:3456";
const FACTS: LaunchFacts = {
  origin: ORIGIN,
  key: KEY,
  isWide: false,
  mode: "own_login",
  isSubscriptionPool: true,
  model: "opus",
  silentMsMax: 1_000,
  holdMsMax: 1_000,
  account: null,
  policy: null,
  project: null,
  isFirstParty: false,
  socket: null,
};

function layer(
  env: Readonly<Record<string, string>>,
  more: Partial<SettingsLayer> = {},
): SettingsLayer {
  return {
    source: "settings.json",
    isManaged: false,
    env,
    model: null,
    keyHelper: null,
    ...more,
  };
}

Deno.test("the key goes in a header, beside the user's own, and in no URL", () => {
  const present = { ANTHROPIC_CUSTOM_HEADERS: "x-team: a\nx-b: c:d" };
  const plain = launchVariables(FACTS, present);
  strictEqual(plain["ANTHROPIC_BASE_URL"], ORIGIN);
  strictEqual(
    plain["ANTHROPIC_CUSTOM_HEADERS"],
    `x-team: a\nx-b: c:d\nx-tc-key: ${KEY}`,
  );
  const wishes = launchVariables(
    { ...FACTS, account: "work", policy: "pace" },
    {},
  );
  strictEqual(
    wishes["ANTHROPIC_CUSTOM_HEADERS"],
    `x-tc-key: ${KEY}\nx-tc-account: work\nx-tc-policy: pace`,
  );
  const socket = launchVariables({ ...FACTS, socket: "/s" }, {});
  strictEqual(socket["ANTHROPIC_BASE_URL"], "http://localhost");
});

Deno.test("an inner launch replaces the headers and the login of an outer one", () => {
  const inner = launchVariables({ ...FACTS, policy: "pace" }, {
    ANTHROPIC_CUSTOM_HEADERS:
      "X-Tc-Policy: price\nx-tc-account: work\nX-TC-Key: old\nx-team: a",
    CLAUDE_CODE_OAUTH_TOKEN: "tc-local",
  });
  strictEqual(
    inner["ANTHROPIC_CUSTOM_HEADERS"],
    `x-team: a\nx-tc-key: ${KEY}\nx-tc-policy: pace`,
  );
  strictEqual(inner["CLAUDE_CODE_OAUTH_TOKEN"], null);
});

Deno.test("without an own login the client gets a login mode and the pool's model", () => {
  const made = launchVariables({ ...FACTS, mode: "login" }, {});
  strictEqual(made["CLAUDE_CODE_OAUTH_TOKEN"], "tc-local");
  strictEqual(made["ANTHROPIC_AUTH_TOKEN"], null);
  strictEqual(made["ANTHROPIC_MODEL"], "opus");
  const chosen = launchVariables({ ...FACTS, mode: "login" }, {
    ANTHROPIC_MODEL: "haiku",
  });
  strictEqual("ANTHROPIC_MODEL" in chosen, false);
  const inSettings = planLaunch({ ...FACTS, mode: "login" }, {}, [
    layer({}, { model: "sonnet" }),
  ]);
  strictEqual("ANTHROPIC_MODEL" in inSettings.variables, false);
  const own = launchVariables(FACTS, {});
  strictEqual("ANTHROPIC_MODEL" in own, false);
  strictEqual("CLAUDE_CODE_OAUTH_TOKEN" in own, false);
  const token = launchVariables({ ...FACTS, mode: "token" }, {});
  strictEqual(token["ANTHROPIC_AUTH_TOKEN"], "tc-local");
  strictEqual(token["ENABLE_PROMPT_CACHING_1H"], "1");
});

Deno.test("settings that send the client elsewhere are outranked for the launch", () => {
  const plan = planLaunch(FACTS, {}, [
    layer({
      ANTHROPIC_BASE_URL: "http://127.0.0.1:9",
      ANTHROPIC_AUTH_TOKEN: "theirs",
      ANTHROPIC_CUSTOM_HEADERS: "x-team: a",
      CLAUDE_CODE_USE_BEDROCK: "1",
      EDITOR: "vi",
    }, { keyHelper: "cat key" }),
  ]);
  deepStrictEqual(plan.settings, {
    env: {
      ANTHROPIC_BASE_URL: ORIGIN,
      ANTHROPIC_AUTH_TOKEN: "",
      ANTHROPIC_CUSTOM_HEADERS: `x-team: a\nx-tc-key: ${KEY}`,
      CLAUDE_CODE_USE_BEDROCK: "",
    },
    apiKeyHelper: "",
  });
  strictEqual(planLaunch(FACTS, {}, [layer({ EDITOR: "vi" })]).settings, null);
});

Deno.test("a base URL is outranked together with what belongs to it", () => {
  const facts = { ...FACTS, isFirstParty: true };
  const plan = planLaunch(facts, { ANTHROPIC_CUSTOM_HEADERS: "x-team: a" }, [
    layer({ ANTHROPIC_BASE_URL: "http://127.0.0.1:9" }),
  ]);
  deepStrictEqual(plan.settings, {
    env: {
      ANTHROPIC_BASE_URL: ORIGIN,
      ANTHROPIC_CUSTOM_HEADERS: `x-team: a\nx-tc-key: ${KEY}`,
      _CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL: "1",
    },
  });
});

Deno.test("the client is told of Anthropic's API only where all requests end there", () => {
  const name = "_CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL";
  strictEqual(name in launchVariables(FACTS, {}), false);
  const facts = { ...FACTS, isFirstParty: true };
  strictEqual(launchVariables(facts, {})[name], "1");
  strictEqual(name in launchVariables(facts, { [name]: "0" }), false);
});

Deno.test("managed settings that send the client elsewhere refuse the launch", () => {
  for (const name of ["ANTHROPIC_BASE_URL", ...PROVIDER_SWITCHES]) {
    throws(
      () =>
        planLaunch(FACTS, {}, [layer({ [name]: "1" }, { isManaged: true })]),
      (cause) =>
        cause instanceof TcError && cause.code === "managed_elsewhere" &&
        cause.message.includes(name),
    );
  }
  const off = [layer({ CLAUDE_CODE_USE_BEDROCK: "0" }, { isManaged: true })];
  strictEqual(planLaunch(FACTS, {}, off).settings, null);
  // Headers that nothing outranks: the key goes in the path.
  const headers = [
    layer({ ANTHROPIC_CUSTOM_HEADERS: "x-team: a" }, { isManaged: true }),
  ];
  const { variables } = planLaunch(FACTS, {}, headers);
  strictEqual(variables["ANTHROPIC_BASE_URL"], `${ORIGIN}/k/${KEY}`);
});

Deno.test("a key that opens more than loopback goes in no header", () => {
  const wide = { ...FACTS, isWide: true };
  const { variables } = planLaunch(wide, {}, []);
  strictEqual(variables["ANTHROPIC_BASE_URL"], `${ORIGIN}/k/${KEY}`);
  strictEqual(variables["ANTHROPIC_CUSTOM_HEADERS"], null);
  strictEqual(
    planExports(wide, {}, []).variables["ANTHROPIC_BASE_URL"],
    `${ORIGIN}/k/${KEY}`,
  );
});

Deno.test("planExports() names the settings that no variable outranks", () => {
  const { variables, contradictions } = planExports(FACTS, {}, [
    layer({
      ANTHROPIC_BASE_URL: "http://127.0.0.1:9",
      ANTHROPIC_CUSTOM_HEADERS: "x-team: a",
    }),
  ]);
  deepStrictEqual(contradictions, ["settings.json sets ANTHROPIC_BASE_URL"]);
  strictEqual(variables["ANTHROPIC_BASE_URL"], `${ORIGIN}/k/${KEY}`);
});

Deno.test("the key is found in the headers, and taken out for other ways", () => {
  strictEqual(keyInHeaders("x-team: a\nX-Tc-Key:  k-1 "), "k-1");
  strictEqual(keyInHeaders("x-team: a"), null);
  strictEqual(
    withoutLaunchHeaders("x-team: a\nx-tc-key: k\nx-tc-account: b"),
    "x-team: a",
  );
  strictEqual(withoutLaunchHeaders("x-tc-key: k"), null);
});

Deno.test("readSettings() reads every layer, the lowest first", async () => {
  await using folder = new TempFolder();
  const write = (path: string, value: unknown) => {
    Deno.mkdirSync(dirname(folder.join(path)), { recursive: true });
    const text = typeof value === "string" ? value : JSON.stringify(value);
    Deno.writeTextFileSync(folder.join(path), text);
  };
  const env = (value: string) => ({ env: { A: value, N: 1 } });
  write("home/settings.json", `\uFEFF${JSON.stringify(env("user"))}`);
  write("work/.claude/settings.json", env("project"));
  // With a comment Claude Code takes nothing of it.
  write("work/.claude/settings.local.json", '{"env":{"A":"local"} /* no */}');
  write("given.json", env("given"));
  write("managed/managed-settings.json", env("managed"));
  write("managed/managed-settings.d/9.json", env("drop-in"));
  const layers = readSettings({
    userFile: folder.join("home/settings.json"),
    folder: folder.join("work"),
    managed: [folder.join("managed")],
    args: [
      "-p",
      "--settings",
      '{"env":{"A":"inline"},"model":"haiku"}',
      `--settings=${folder.join("given.json")}`,
      "--",
      "--settings",
      '{"env":{"A":"a prompt"}}',
    ],
  });
  deepStrictEqual(
    layers.map((one) => [one.env["A"], one.isManaged, one.model]),
    [
      ["user", false, null],
      ["project", false, null],
      ["inline", false, "haiku"],
      ["given", false, null],
      ["managed", true, null],
      ["drop-in", true, null],
    ],
  );
  strictEqual(layers[0]?.env["N"], "1");
  match(layers[0]?.source ?? "", /home\/settings\.json$/);
});

Deno.test("withSettings() stands before subcommands and behind the user's own", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["", "--settings F"],
    ["mcp list", "--settings F mcp list"],
    ["-p hi --settings U", "-p hi --settings U --settings F"],
    ["--settings=U -p hi", "--settings=U --settings F -p hi"],
    ["-- --settings U", "--settings F -- --settings U"],
  ];
  for (const [args, expected] of cases) {
    strictEqual(
      withSettings(args.split(" ").filter(Boolean), "F").join(" "),
      expected,
    );
  }
});

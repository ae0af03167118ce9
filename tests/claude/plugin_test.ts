import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import { HOOKS } from "../../src/claude/hook_input.ts";
import { helperCommand } from "../../src/claude/api_key_helper.ts";
import { pathCommand, pluginFiles } from "../../src/claude/plugin.ts";
import { ROOT } from "../fixtures/paths.ts";
import { needs } from "../fixtures/skipped.ts";

const FILES = pluginFiles({ version: config.version, command: pathCommand });

Deno.test("the repository is a marketplace with the plugin of this version", async () => {
  const stored: Record<string, string> = {};
  for (const path of Object.keys(FILES)) {
    stored[path] = await Deno.readTextFile(`${ROOT}${path}`);
  }
  deepStrictEqual(stored, FILES);
});

Deno.test("every hook of the plugin is one that tc knows, and none is missing", () => {
  const { hooks } = JSON.parse(
    FILES[".claude-plugin/tc/hooks/hooks.json"] ?? "{}",
  );
  const commands = Object.values(hooks).flatMap((entries) =>
    JSON.stringify(entries).match(/tc hook ([a-z-]+)/)?.[1]
  );
  deepStrictEqual(commands, [...HOOKS]);
});

Deno.test({
  name: "a hook of the plugin does nothing where there is no tc",
  // Git Bash, which the client has there, is not part of Windows.
  ignore: needs("scripts"),
  fn: async () => {
    const { code, stdout } = await new Deno.Command("/bin/sh", {
      args: ["-c", pathCommand("session-start")],
      env: { PATH: "/nowhere" },
      clearEnv: true,
    }).output();
    strictEqual(code, 0);
    // What stands on stderr the client shows for a failure alone.
    strictEqual(stdout.length, 0);
  },
});

Deno.test("only a refused turn is a reason to swap", () => {
  const { hooks } = JSON.parse(
    FILES[".claude-plugin/tc/hooks/hooks.json"] ?? "{}",
  );
  strictEqual(hooks.StopFailure[0].matcher, "rate_limit");
  match(JSON.stringify(hooks.StopFailure[0]), /tc hook stop-failure/);
});

Deno.test("a line of a hook has nothing that a shell of Windows reads otherwise", () => {
  for (const hook of HOOKS) {
    // No &&, ||, redirection or statement of one of them alone.
    match(pathCommand(hook), /^(eval "[^"]*"; )?tc hook [a-z-]+; exit 0$/);
  }
  const words = ["C:\\Users\\ada\\tc.exe", "hook", "pre-compact"];
  strictEqual(
    helperCommand(words, "windows"),
    "C:/Users/ada/tc.exe hook pre-compact",
  );
  strictEqual(
    helperCommand(["C:\\Users\\ADASMI~1\\tc.exe"], "windows"),
    "C:/Users/ADASMI~1/tc.exe",
  );
  for (const system of ["linux", "darwin"]) {
    strictEqual(helperCommand(["/opt/a b/tc"], system), "'/opt/a b/tc'");
    strictEqual(helperCommand(["/opt/tc"], system), "/opt/tc");
  }
});

Deno.test("the line that a compaction shows is short", () => {
  strictEqual(
    pathCommand("pre-compact"),
    "tc hook pre-compact; exit 0",
  );
  const { hooks } = JSON.parse(
    FILES[".claude-plugin/tc/hooks/hooks.json"] ?? "{}",
  );
  strictEqual(
    hooks.PreCompact[0].hooks[0].statusMessage,
    "tc: noting the compaction",
  );
});

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { cleaned, isKept } from "../fixtures/clean_environment.ts";
import { ROOT } from "../fixtures/paths.ts";
import { needs } from "../fixtures/skipped.ts";

Deno.test("cleaned() keeps nothing that leads to the caller's folders or accounts", () => {
  const caller = {
    PATH: "/bin",
    HOME: "/home/caller",
    XDG_CONFIG_HOME: "/home/caller/config",
    XDG_STATE_HOME: "/home/caller/state",
    TC_CONFIG: "/home/caller/tc.json",
    TC_PROXY_PORT: "3456",
    CLAUDE_CONFIG_DIR: "/home/caller/claude",
    ANTHROPIC_API_KEY: "key",
    HTTP_PROXY: "http://127.0.0.1:9",
    TZ: "",
    LANG: "C",
  };
  const kept = cleaned(caller, 1);
  deepStrictEqual(
    Object.keys(caller).filter((name) => name in kept),
    ["PATH", "HOME", "LANG"],
  );
  ok(!kept["HOME"]?.startsWith("/home/caller"));
  strictEqual(kept["LANG"], "C.UTF-8");
});

Deno.test("this process has none of its caller's variables", () => {
  const own = [
    "HOME",
    "USERPROFILE",
    "DENO_NO_UPDATE_CHECK",
    "TERM",
    "LANG",
    "npm_config_cache",
    "npm_config_userconfig",
  ];
  const foreign = Object.keys(Deno.env.toObject())
    .filter((name) => !own.includes(name) && !isKept(name));
  deepStrictEqual(foreign, []);
});

Deno.test({
  name: "tests with a terminal touch nothing of a caller whose folders are set",
  // A short run is in such an environment as a whole.
  ignore: needs("terminals") || Deno.env.get("TC_TEST_SHORT") === "1",
  fn: async () => {
    const { success, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      {
        args: [
          "run",
          "-A",
          "--no-check",
          `${ROOT}tests/odd/main.ts`,
          "tests/reliability/terminal_test.ts",
          "tests/cli/statusline_install_test.ts",
        ],
        env: { TC_TEST_ODD: "open" },
      },
    ).output();
    const decoder = new TextDecoder();
    const text = decoder.decode(stdout);
    ok(success, text + decoder.decode(stderr));
    // What .ci/run takes the count from.
    match(text, /^ok \| \d+ passed/m);
  },
});

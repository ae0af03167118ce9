/** strayVariables(): mistyped names, and no name that somebody reads. */

import { deepStrictEqual } from "node:assert/strict";
import { settingRows } from "../../src/config/settings.ts";
import { strayVariables } from "../../src/config/stray_variables.ts";

Deno.test("a mistyped variable is found, with the one that was meant", () => {
  deepStrictEqual(strayVariables(["HOME", "TC_PROXY_PROT", "TCX", "TC_Q"]), [
    { name: "TC_PROXY_PROT", nearest: "TC_PROXY_PORT" },
    { name: "TC_Q", nearest: null },
  ]);
});

Deno.test("no variable of a setting is stray, nor any other that tc reads", () => {
  const read = settingRows().map(({ variable }) => variable);
  const others = ["TC_CONFIG", "TC_DEBUG", "TC_ASCII", "TC_TEST_BINARY"];
  deepStrictEqual(strayVariables([...read, ...others]), []);
});

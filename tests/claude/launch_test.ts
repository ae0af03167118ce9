/** Claude Code in the place of this process. */

import { strictEqual } from "node:assert/strict";
import {
  applied,
  launchVariables,
  runInPlace,
} from "../../src/claude/launch.ts";
import { idOf } from "../fixtures/vault_kit.ts";

Deno.test({
  name: "runInPlace() ends with the client's own code, also after any signal",
  ignore: Deno.build.os === "windows",
  async fn() {
    const run = (script: string) =>
      runInPlace("/bin/sh", ["-c", script], { PATH: "/usr/bin:/bin" });
    strictEqual(await run("exit 7"), 7);
    strictEqual(await run("kill -TERM $$"), 143);
    strictEqual(await run("kill -ABRT $$"), 134);
    strictEqual(await run("kill -SEGV $$"), 139);
  },
});

Deno.test("launchVariables() of a launch within a launch names one account at most", () => {
  const facts = {
    origin: "http://127.0.0.1:3456",
    key: "k",
    hasOwnLogin: true,
    isSubscriptionPool: true,
    silentMsMax: 0,
    holdMsMax: 0,
    socket: null,
  };
  const headersOf = (present: string, account: string | null) => {
    const variables = { ANTHROPIC_CUSTOM_HEADERS: present };
    const changes = launchVariables(
      { ...facts, account: account === null ? null : idOf(account) },
      variables,
    );
    return applied(variables, changes)["ANTHROPIC_CUSTOM_HEADERS"];
  };
  strictEqual(headersOf("a: 1", null), "a: 1");
  strictEqual(headersOf("a: 1", "home"), "a: 1\nx-tc-account: home");
  const outer = "a: 1\nX-TC-Account : work";
  strictEqual(headersOf(outer, "home"), "a: 1\nx-tc-account: home");
  strictEqual(headersOf(outer, null), "a: 1");
  strictEqual(headersOf("x-tc-account: work", null), undefined);
});

/** Whether Claude Code would start with a login of its own. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { findClaudeLogin } from "../../src/claude/login/own_login.ts";
import { claudeFolder } from "../../src/claude/claude_folder.ts";
import { FakeSecurity } from "../fixtures/fake_security.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

Deno.test("findClaudeLogin() looks into the keychain item of the folder in use", async () => {
  await using home = new TempFolder();
  const environment = { HOME: home.path, USER: "ada" };
  const named = { ...environment, CLAUDE_CONFIG_DIR: home.join("work") };
  const facts = { environment, system: "darwin", userName: null };
  const facts2 = { ...facts, environment: named };
  for (const logged of [facts, facts2]) {
    const security = new FakeSecurity();
    const { login } = claudeFolder(logged);
    if (login.kind !== "keychain") throw new TypeError("no keychain");
    security.put(login.service, login.account, {});
    const found = [
      await findClaudeLogin(facts, security),
      await findClaudeLogin(facts2, security),
    ];
    deepStrictEqual(found, [logged === facts, logged === facts2]);
  }
});

Deno.test("findClaudeLogin() takes a blank login for none", async () => {
  await using home = new TempFolder();
  const facts = {
    environment: { HOME: home.path },
    system: "linux",
    userName: null,
  };
  const security = new FakeSecurity();
  const file = home.join(".claude", ".credentials.json");
  strictEqual(await findClaudeLogin(facts, security), false);
  await Deno.mkdir(home.join(".claude"));
  for (const accessToken of ["", "sk-ant-oat01-FAKE"]) {
    await Deno.writeTextFile(
      file,
      JSON.stringify({ claudeAiOauth: { accessToken } }),
    );
    strictEqual(await findClaudeLogin(facts, security), accessToken !== "");
  }
});

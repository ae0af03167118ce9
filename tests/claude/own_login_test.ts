/** Whether Claude Code would start with a login of its own. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { findClaudeLogin } from "../../src/claude/login/own_login.ts";
import { claudeFolder } from "../../src/claude/claude_folder.ts";
import { FakeSecurity } from "../fixtures/fake_keychain.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const LOGIN = { claudeAiOauth: { accessToken: "sk-ant-oat01-FAKE" } };

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
    security.put(login.service, login.account, LOGIN);
    const found = [
      await findClaudeLogin(facts, security),
      await findClaudeLogin(facts2, security),
    ];
    deepStrictEqual(found, [logged === facts, logged === facts2]);
  }
});

Deno.test("findClaudeLogin() takes the logins of MCP servers alone for none", async () => {
  await using home = new TempFolder();
  const environment = { HOME: home.path, USER: "ada" };
  const facts = { environment, system: "darwin", userName: null };
  const { login } = claudeFolder(facts);
  if (login.kind !== "keychain") throw new TypeError("no keychain");
  const security = new FakeSecurity();
  for (const value of [LOGIN, { mcpOAuth: { a: 1 } }, "no login"]) {
    security.put(login.service, login.account, value);
    strictEqual(await findClaudeLogin(facts, security), value === LOGIN);
  }
  // Whatever a locked keychain has is taken for a login.
  security.isReadable = false;
  strictEqual(await findClaudeLogin(facts, security), true);
  security.isLocked = true;
  strictEqual(await findClaudeLogin(facts, security), false);
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

/**
 * Whether Claude Code has a login of its own on this machine. Looks, and never
 * reads a secret further than to see that there is one.
 *
 * @module
 */

import { join } from "node:path";
import type { CommandRunner } from "../../ports.ts";
import { LOCAL_TOKEN } from "../launch_variables.ts";
import {
  claudeFolder,
  type FolderFacts,
  type LoginPlace,
} from "../claude_folder.ts";

/** No prompt comes: the item is looked for and its secret is not asked for. */
const LOOK_MS = 5_000;

/** Whether a login of Claude Code's own would be used at its next start. */
export async function findClaudeLogin(
  facts: FolderFacts,
  runner: CommandRunner,
): Promise<boolean> {
  const token = facts.environment["CLAUDE_CODE_OAUTH_TOKEN"];
  // A launch within a launch sees the one that the outer launch made up.
  if (token && token !== LOCAL_TOKEN) return true;
  const { folder, login } = claudeFolder(facts);
  if (hasStoredLogin(join(folder, ".credentials.json"))) return true;
  return login.kind === "keychain" && await hasKeychainLogin(login, runner);
}

function hasStoredLogin(file: string): boolean {
  try {
    if (!Deno.statSync(file).isFile) return false;
    const stored: unknown = JSON.parse(Deno.readTextFileSync(file));
    const login =
      (stored as { claudeAiOauth?: { accessToken?: unknown } } | null)
        ?.claudeAiOauth;
    return typeof login?.accessToken === "string" && login.accessToken !== "";
  } catch {
    // No file, or one that Claude Code could not use either.
    return false;
  }
}

async function hasKeychainLogin(
  { service, account }: Extract<LoginPlace, { readonly kind: "keychain" }>,
  runner: CommandRunner,
): Promise<boolean> {
  const outcome = await runner.run(
    "security",
    ["find-generic-password", "-a", account, "-s", service],
    { stdin: "", timeoutMs: LOOK_MS },
  );
  return outcome.kind === "exited" && outcome.code === 0;
}

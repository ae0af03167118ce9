/**
 * Whether Claude Code has a login of its own on this machine. Looks, and never
 * reads a secret further than to see that there is one.
 *
 * @module
 */

import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a login of Claude Code's own would be used at its next start. */
export async function findClaudeLogin(
  environment: Environment,
  system: string,
): Promise<boolean> {
  if (environment["CLAUDE_CODE_OAUTH_TOKEN"]) return true;
  const home = environment["HOME"] ?? environment["USERPROFILE"] ?? "";
  const folder = environment["CLAUDE_CONFIG_DIR"] || join(home, ".claude");
  if (hasStoredLogin(join(folder, ".credentials.json"))) return true;
  return system === "darwin" && await hasKeychainLogin();
}

function hasStoredLogin(file: string): boolean {
  try {
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

async function hasKeychainLogin(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("security", {
      args: ["find-generic-password", "-s", "Claude Code-credentials"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    // Without the tool there is no keychain to look into.
    return false;
  }
}

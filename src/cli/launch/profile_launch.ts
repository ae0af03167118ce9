/**
 * `tc run --profile`: runs Claude Code in a separate folder, on one account;
 * others may run on other accounts at the same time.
 *
 * @module
 */

import { claudeProgram, marked } from "./claude_program.ts";
import { runInPlace } from "../../claude/launch.ts";
import {
  applied,
  type Variables,
  withoutLaunchHeaders,
} from "../../claude/launch_variables.ts";
import { isOurHelper } from "../../claude/api_key_helper.ts";
import { inert } from "../../control/words.ts";
import { policyNamed } from "../accounts/policy_option.ts";
import { prepareProfile } from "../../profile/launch_profile.ts";
import { presentVariables } from "./launching.ts";
import { Profiles } from "../profile/profiles.ts";
import type { Shell } from "../shell.ts";
import { tellHolders } from "../swap/swap_words.ts";

interface ProfileLaunch {
  /** Null: the policy chooses. */
  readonly name: string | null;
  readonly policy: string | undefined;
  readonly args: readonly string[];
}

/** Runs the client in the profile. Returns its exit code. */
export async function runInProfile(
  shell: Shell,
  { name, policy, args }: ProfileLaunch,
): Promise<number> {
  const { output } = shell;
  const claude = claudeProgram(shell);
  const known = policy === undefined ? null : policyNamed(policy);
  using profiles = await Profiles.open(shell);
  const profile = await profiles.choose(name, known);
  const { account } = profile;
  const ports = profiles.portsOf(account);
  const { alsoAt } = await prepareProfile(account, ports);
  await warnOfKeys(profiles, shell);
  await tellHolders(account, { label: profile.name, alsoAt }, shell);
  if (name === null) output.say(`tc: profile ${inert(profile.name)}`);
  await profiles.book.began(account, Deno.pid, Deno.cwd());
  const present = presentVariables(shell);
  const code = await runInPlace(
    claude,
    args,
    marked(
      shell,
      claude,
      applied(present, variables(ports.own.folder, present, shell)),
    ),
    shell.system,
  );
  await profiles.book.ended(Deno.pid, code);
  await profiles.harvest(account);
  return code;
}

/**
 * Returns the variables: the folder, and nothing that would outrank its login.
 */
function variables(
  folder: string,
  present: Variables,
  { origin }: Shell,
): Readonly<Record<string, string | null>> {
  const base = present["ANTHROPIC_BASE_URL"];
  const headers = present["ANTHROPIC_CUSTOM_HEADERS"];
  const isOurs = base !== undefined && URL.parse(base)?.origin === origin;
  return {
    CLAUDE_CONFIG_DIR: folder,
    ANTHROPIC_API_KEY: null,
    ANTHROPIC_AUTH_TOKEN: null,
    CLAUDE_CODE_OAUTH_TOKEN: null,
    ...(isOurs ? { ANTHROPIC_BASE_URL: null } : {}),
    // This client does not use the proxy, so it does not get the local key.
    ...(headers === undefined
      ? {}
      : { ANTHROPIC_CUSTOM_HEADERS: withoutLaunchHeaders(headers) }),
  };
}

/**
 * Warns of an `apiKeyHelper`: the settings are shared, and it outranks every
 * login.
 */
async function warnOfKeys(
  { ports, shared }: Profiles,
  { output }: Shell,
): Promise<void> {
  const text = await ports.texts.read(shared.settingsFile) ?? "";
  const helper = /"apiKeyHelper"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
  if (helper === undefined) return;
  output.say(
    isOurHelper(helper, ports.helper)
      ? "warning: API keys serve now, in profiles as well (tc swap auto ends it)"
      : "warning: apiKeyHelper in the settings outranks the profile's login",
  );
}

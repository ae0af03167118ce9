/**
 * The Claude Code plugin: its manifest, its marketplace and its hooks, as the
 * files that the client reads.
 *
 * @module
 */

import type { HookName } from "./hook_input.ts";

export interface PluginFacts {
  readonly version: string;
  /** The command line of one hook, for the client's shell. */
  readonly command: (hook: HookName) => string;
}

export const PLUGIN = "tc";
export const MARKETPLACE = "tc";

/** The plugin's own folder, below the marketplace's. */
const FOLDER = ".claude-plugin/tc";
const DESCRIPTION =
  "All your Claude accounts as one: the best login at each session, another one when a limit is met";

/** Enough to swap after a limit; the client waits for no other hook that long. */
const SWAP_SECONDS = 20;
const TELL_SECONDS = 5;

/** Every file by its path below the marketplace's folder. */
export function pluginFiles(
  facts: PluginFacts,
): Readonly<Record<string, string>> {
  return {
    ".claude-plugin/marketplace.json": spelled(marketplace()),
    [`${FOLDER}/.claude-plugin/plugin.json`]: spelled(manifest(facts)),
    [`${FOLDER}/hooks/hooks.json`]: spelled(hooks(facts)),
  };
}

/**
 * The hook's command where tc is looked for on the PATH: without tc it does
 * nothing, so that the order of installing never matters.
 */
export function pathCommand(hook: HookName): string {
  return `command -v tc >/dev/null 2>&1 || exit 0; ${
    lasting(`tc hook ${hook}`)
  }`;
}

/**
 * `command` so that it is done although its client ends: in print mode the
 * client stops its last hooks after a moment (claude-code 2.1.329), and a swap
 * takes longer.
 */
export function lasting(command: string): string {
  return `trap '' TERM HUP; exec ${command}`;
}

function marketplace(): unknown {
  return {
    name: MARKETPLACE,
    owner: { name: "tc" },
    plugins: [{
      name: PLUGIN,
      source: `./${FOLDER}`,
      description: DESCRIPTION,
    }],
  };
}

function manifest({ version }: PluginFacts): unknown {
  return {
    name: PLUGIN,
    version,
    description: DESCRIPTION,
    author: { name: "tc" },
    license: "MIT",
    keywords: ["accounts", "limits", "usage"],
  };
}

function hooks({ command }: PluginFacts): unknown {
  const hook = (name: HookName, timeout: number) => ({
    hooks: [{ type: "command", command: command(name), timeout }],
  });
  return {
    description: "Keeps Claude Code on the account with room",
    hooks: {
      SessionStart: [hook("session-start", TELL_SECONDS)],
      UserPromptSubmit: [hook("user-prompt-submit", TELL_SECONDS)],
      StopFailure: [{
        matcher: "rate_limit",
        ...hook("stop-failure", SWAP_SECONDS),
      }],
      PreCompact: [hook("pre-compact", TELL_SECONDS)],
    },
  };
}

function spelled(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

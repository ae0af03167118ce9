/**
 * The Claude Code plugin: its manifest, its marketplace and its hooks, as files
 * for the client.
 *
 * @module
 */

import type { HookName } from "./hook_input.ts";

interface PluginFacts {
  readonly version: string;
  /** Returns the command line of one hook, for the client's shell. */
  readonly command: (hook: HookName) => string;
}

export const PLUGIN = "tc";
export const MARKETPLACE = "tc";

/** The plugin's own folder, below the marketplace's. */
const FOLDER = ".claude-plugin/tc";
const DESCRIPTION =
  "All your Claude accounts as one: the best login at each session, another one when a limit is met";

/**
 * Time limit that allows a swap after a limit; the client waits this long for
 * no other hook.
 */
const SWAP_SECONDS = 20;
const TELL_SECONDS = 5;

/** Returns every file by its path below the marketplace's folder. */
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
 * Returns the hook's command where tc is looked for on the PATH. Without tc it
 * does nothing and succeeds, so that the order of installing never matters.
 * The client shows the command line at a compaction, so it is short.
 */
export function pathCommand(hook: HookName): string {
  return hookLine(hook, `tc hook ${hook}`);
}

/**
 * Returns `command` as the line of a hook: its failure is nobody's. The client
 * gives it to a POSIX shell, and to PowerShell on a Windows without Git Bash
 * (2.1.329): the line runs `command` in each of them.
 *
 * In print mode the client stops its last hooks after a moment (2.1.329), and a
 * swap takes longer, so that one outlives it. By `eval`, because `trap` begins
 * another statement in PowerShell, which knows no `eval` and goes on.
 */
export function hookLine(hook: HookName, command: string): string {
  const line = `${command}; exit 0`;
  return hook === "stop-failure" ? `eval "trap '' TERM HUP"; ${line}` : line;
}

/** What the client shows while a hook runs. */
const STATUS: Readonly<Record<HookName, string>> = {
  "session-start": "tc: looking at the accounts",
  "user-prompt-submit": "tc: looking at the accounts",
  "stop-failure": "tc: looking for an account with room",
  "pre-compact": "tc: noting the compaction",
};

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
    hooks: [{
      type: "command",
      command: command(name),
      timeout,
      statusMessage: STATUS[name],
    }],
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

/**
 * What the plugin's hooks run, at every prompt: it loads very little unless
 * there is work to do. It exits with 0 or 1, never with 2, which would block
 * the prompt. Plain text on stdout would enter the context, so messages for the
 * user are printed as a `systemMessage`, which the client shows.
 *
 * @module
 */

import { withHome } from "../../system/home.ts";
import {
  type Environment,
  PATH_VARIABLES,
  type Paths,
  pathsFrom,
} from "../../system/paths.ts";
import {
  type HookInput,
  type HookName,
  hookName,
  readHookInput,
} from "../../claude/hook_input.ts";
import { repositoryOf } from "../../claude/sessions/project.ts";
import { EXIT, reasonOf } from "../../errors.ts";
import { ServerConnection } from "../../control/server_connection.ts";
import { Secret } from "../../secret.ts";
import { launchKey, serverPlace } from "../status/ask_glance.ts";
import { startDetached } from "../../system/own_command.ts";
import { printTo } from "../print.ts";
import { inert } from "../../core/plain_text.ts";
import {
  isProfileFolder,
  leaveNote,
  swapFile,
  takeNote,
} from "../swap/swap_files.ts";
import { buildInfo } from "../../release/version.ts";
import type { Host, System } from "../../variables.ts";

/** Claude Code is blocked on us: give up on a slow server. */
const TELL_MS = 500;
const STDIN_BYTES_MAX = 8 * 1024 * 1024;
const STDIN_MS_MAX = 1_000;
const THRESHOLD = "0.9";
/**
 * Interval between polls: the usage endpoint has its own limit, so not at each
 * prompt.
 */
const ASK_MS = 60_000;
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];
const HOOK_PATH = "/tc/v1/hook";

/** Runs the hook called `word`. Returns the exit code. */
export async function runHook(
  word: string | undefined,
  system: System,
): Promise<number> {
  const name = hookName(word);
  if (name === null) return EXIT.ok;
  try {
    const words = [
      await hook(name, readHookInput(await stdin()), system),
      name === "session-start" ? await stayInStep(system) : null,
    ].filter((text) => text !== null);
    if (words.length > 0) {
      const systemMessage = words.join("\n");
      printTo(Deno.stdout, `${JSON.stringify({ systemMessage })}\n`);
    }
    return EXIT.ok;
  } catch (cause) {
    const reason = reasonOf(cause);
    printTo(Deno.stderr, `tc: ${reason}\n`);
    return EXIT.failed;
  }
}

/** Returns a message for the user, or null. */
async function stayInStep(system: System): Promise<string | null> {
  const folder = Deno.env.get("CLAUDE_PLUGIN_ROOT");
  if (!folder) return null;
  return await pluginStep(folder, system);
}

/** Runs the hook `name`. Returns a message for the user, or null. */
async function hook(
  name: HookName,
  input: HookInput,
  system: System,
): Promise<string | null> {
  const environment = readVariables(system);
  const base = environment["ANTHROPIC_BASE_URL"] ?? "";
  // `tc run` and `tc env` set the server's key in the environment.
  if (launchKey(environment) !== null) {
    await tellServer({ environment, system }, name, input);
    return null;
  }
  const paths = pathsFrom(environment, system);
  // Hooks change no login before the user has begun to swap.
  if (isProfileFolder({ environment, system }, paths)) return null;
  const state = await swapState({ environment, system }, paths);
  if (!state.isOn || await isOurServer(base, system)) return null;
  switch (name) {
    case "session-start":
    case "user-prompt-submit":
      if (!state.isAsked) {
        // It runs on after the prompt; the next request has the new login.
        startDetached([
          "swap",
          "auto",
          "--hook",
          "--if-needed",
          "--threshold",
          THRESHOLD,
        ]);
      }
      return noteText(takeNote(paths.stateFolder, input.session));
    case "stop-failure": {
      if (input.error !== "rate_limit") return null;
      const { swapAfterLimit } = await import("../swap/swap_auto.ts");
      const label = await swapAfterLimit(system);
      if (label !== null) leaveNote(paths.stateFolder, input.session, label);
      return null;
    }
    case "pre-compact":
      return null;
  }
}

function noteText(label: string | null): string | null {
  return label === null
    ? null
    : `Claude Code has the login of ${
      inert(label)
    } now: this prompt need not wait for the reset`;
}

function readVariables(system: System): Environment {
  const names = [
    ...PATH_VARIABLES,
    "CLAUDE_CONFIG_DIR",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "TC_PROXY_PORT",
  ];
  return withHome(
    Object.fromEntries(names.map((name) => [name, Deno.env.get(name)])),
    system,
  );
}

/**
 * Reads the part of the state that matters here, without loading its usual
 * reader.
 */
async function swapState(
  host: Host,
  paths: Paths,
): Promise<{ readonly isOn: boolean; readonly isAsked: boolean }> {
  try {
    const text = await Deno.readTextFile(await swapFile(host, paths));
    const { isOn, askedAt } = JSON.parse(text);
    const ageMs = Date.now() - Number(askedAt ?? 0);
    return { isOn: isOn === true, isAsked: ageMs >= 0 && ageMs < ASK_MS };
  } catch {
    // Swapping was never begun, or the file is damaged.
    return { isOn: false, isAsked: false };
  }
}

/**
 * Returns whether `base` is tc's server without a key, as older tools use it.
 */
async function isOurServer(
  base: string,
  system: System,
): Promise<boolean> {
  const url = URL.parse(base);
  if (url === null || !LOOPBACK.includes(url.hostname)) return false;
  const { readEnvironment, Shell } = await import("../shell.ts");
  const environment = readEnvironment(system);
  return new Shell({ environment, system }, {}).origin === url.origin;
}

async function tellServer(
  { environment, system }: Host,
  hook: HookName,
  input: HookInput,
): Promise<void> {
  const { host, port, key } = serverPlace(environment, system);
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), TELL_MS);
  try {
    using connection = await ServerConnection.open(
      { host, port },
      new Secret(key),
      late.signal,
    );
    const { folder, ...rest } = input;
    const project = folder === null ? null : repositoryOf(folder);
    await connection.ask({
      method: "POST",
      path: HOOK_PATH,
      body: JSON.stringify({ hook, ...rest, project }),
    });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Returns what standard input gives within a moment; nothing from a terminal.
 */
async function stdin(): Promise<string> {
  if (Deno.stdin.isTerminal()) return "";
  const reader = Deno.stdin.readable.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const timer = setTimeout(() => reader.cancel(), STDIN_MS_MAX);
  try {
    while (text.length < STDIN_BYTES_MAX) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    // Use what came until then.
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => {});
  }
  return text;
}

/**
 * Compares the plugin in `folder` with this program. If the plugin is newer,
 * starts an upgrade if the user wants that, or returns a message.
 */
async function pluginStep(
  folder: string,
  system: System,
): Promise<string | null> {
  const wanted = await versionIn(folder);
  const { version } = buildInfo();
  if (wanted === null || wanted === version) return null;
  const { isNewer } = await import("../../release/upgrade.ts");
  if (!isNewer(wanted, version)) return null;
  const { readEnvironment, Shell } = await import("../shell.ts");
  const shell = new Shell(
    { environment: readEnvironment(system), system },
    {},
  );
  if (!shell.config.settings.update.withPlugin) {
    return `tc ${version} is older than its plugin ${wanted}: tc upgrade`;
  }
  // The upgrade verifies what it loads, and refuses if a package manager owns
  // tc.
  startDetached(["upgrade"]);
  return null;
}

async function versionIn(folder: string): Promise<string | null> {
  try {
    const file = `${folder}/.claude-plugin/plugin.json`;
    const { version } = JSON.parse(await Deno.readTextFile(file));
    return /^\d+\.\d+\.\d+$/.test(version) ? version : null;
  } catch {
    // It was run by hand, or the plugin is not tc's.
    return null;
  }
}

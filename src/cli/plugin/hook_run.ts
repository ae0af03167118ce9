/**
 * What the plugin's hooks run, at every prompt: it loads next to nothing unless
 * something has to be done. It fails open and quietly: exit 0 or 1 and never 2,
 * which would block a prompt. Plain text on stdout would enter the context; what
 * a person is told goes there as a `systemMessage`, which the client shows.
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

/** The client waits: a server that does not answer at once is let be. */
const TELL_MS = 500;
const STDIN_BYTES_MAX = 8 * 1024 * 1024;
const STDIN_MS_MAX = 1_000;
const THRESHOLD = "0.9";
/** The usage endpoint has a limit of its own: it is not asked at each prompt. */
const ASK_MS = 60_000;
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];
const HOOK_PATH = "/tc/v1/hook";

/** Runs the hook called `word`; its exit code. */
export async function runHook(word: string | undefined): Promise<number> {
  const name = hookName(word);
  if (name === null) return EXIT.ok;
  try {
    const words = [
      await hook(name, readHookInput(await stdin())),
      name === "session-start" ? await stayInStep() : null,
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

/** Returns words for a person, or null. */
async function stayInStep(): Promise<string | null> {
  const folder = Deno.env.get("CLAUDE_PLUGIN_ROOT");
  if (!folder) return null;
  return await pluginStep(folder);
}

/** Runs the hook `name`. Returns a message for the person, or null. */
async function hook(name: HookName, input: HookInput): Promise<string | null> {
  const environment = readVariables();
  const base = environment["ANTHROPIC_BASE_URL"] ?? "";
  // `tc run` and `tc env` have left the key of the server here.
  if (launchKey(environment) !== null) {
    await tellServer(environment, name, input);
    return null;
  }
  const paths = pathsFrom(environment, Deno.build.os);
  // Nobody's login is touched before a person has begun to swap.
  if (isProfileFolder(environment, paths)) return null;
  const state = await swapState(environment, paths);
  if (!state.isOn || await isOurServer(base)) return null;
  switch (name) {
    case "session-start":
    case "user-prompt-submit":
      if (!state.isAsked) {
        // It goes on behind the prompt; the next request has the new login.
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
      const label = await swapAfterLimit();
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

function readVariables(): Environment {
  const names = [
    ...PATH_VARIABLES,
    "CLAUDE_CONFIG_DIR",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "TC_PROXY_PORT",
  ];
  return withHome(
    Object.fromEntries(names.map((name) => [name, Deno.env.get(name)])),
    Deno.build.os,
  );
}

/** What of the state decides here; read without the house's own reader. */
async function swapState(
  environment: Environment,
  paths: Paths,
): Promise<{ readonly isOn: boolean; readonly isAsked: boolean }> {
  try {
    const text = await Deno.readTextFile(await swapFile(environment, paths));
    const { isOn, askedAt } = JSON.parse(text);
    const ageMs = Date.now() - Number(askedAt ?? 0);
    return { isOn: isOn === true, isAsked: ageMs >= 0 && ageMs < ASK_MS };
  } catch {
    // Nobody has begun to swap, or what is there is damaged.
    return { isOn: false, isAsked: false };
  }
}

/** Whether `base` is our server without a key in it, as older tools reach it. */
async function isOurServer(base: string): Promise<boolean> {
  const url = URL.parse(base);
  if (url === null || !LOOPBACK.includes(url.hostname)) return false;
  const { readEnvironment, Shell } = await import("../shell.ts");
  return new Shell(readEnvironment(), {}).origin === url.origin;
}

async function tellServer(
  environment: Environment,
  hook: HookName,
  input: HookInput,
): Promise<void> {
  const { host, port, key } = serverPlace(environment, Deno.build.os);
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), TELL_MS);
  try {
    using connection = await ServerConnection.open(
      { host, port },
      new Secret(key),
      late.signal,
    );
    await connection.ask({
      method: "POST",
      path: HOOK_PATH,
      body: JSON.stringify({ hook, ...input }),
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Standard input as far as it comes in a moment; a terminal says nothing. */
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
    // What came until then is all there is.
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => {});
  }
  return text;
}

/** Looks at the plugin in `folder`; words for a person, or null. */
export async function pluginStep(folder: string): Promise<string | null> {
  const wanted = await versionIn(folder);
  const { version } = buildInfo();
  if (wanted === null || wanted === version) return null;
  const { isNewer } = await import("../../release/upgrade.ts");
  if (!isNewer(wanted, version)) return null;
  const { readEnvironment, Shell } = await import("../shell.ts");
  const shell = new Shell(readEnvironment(), {});
  if (!shell.config.settings.update.withPlugin) {
    return `tc ${version} is older than its plugin ${wanted}: tc upgrade`;
  }
  // It checks what it loads, and refuses where a package manager owns tc.
  startDetached(["upgrade"]);
  return null;
}

async function versionIn(folder: string): Promise<string | null> {
  try {
    const file = `${folder}/.claude-plugin/plugin.json`;
    const { version } = JSON.parse(await Deno.readTextFile(file));
    return /^\d+\.\d+\.\d+$/.test(version) ? version : null;
  } catch {
    // Run by hand, or a plugin that is not ours.
    return null;
  }
}

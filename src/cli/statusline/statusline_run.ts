/**
 * `tc statusline` as Claude Code runs it, many times a minute. It always exits
 * with 0 and prints one line. With `--wrap` it prints the lines of the earlier
 * status line before it, unchanged.
 *
 * @module
 */

import { dirname } from "node:path";
import {
  type SessionTally,
  type SessionTokens,
  sessionTokens,
} from "../../claude/sessions/session_tokens.ts";
import {
  type StatuslineInput,
  statuslineInput,
} from "../../claude/statusline_input.ts";
import { withHome } from "../../system/home.ts";
import {
  type Environment,
  PATH_VARIABLES,
  type Paths,
  pathsFrom,
} from "../../system/paths.ts";
import type { PoolGlance } from "../../core/quota/glance.ts";
import { askGlance, serverPlace } from "../status/ask_glance.ts";
import { inert } from "../../core/plain_text.ts";
import { readNote } from "../swap/swap_files.ts";
import { statuslineText } from "./statusline_text.ts";
import type { Host, System } from "../../variables.ts";

/** Time limit for the server's answer. */
const SERVER_MS = 40;
/**
 * Time limit for stdin: the client closes it at once, but the machine may be
 * busy.
 */
const STDIN_MS = 500;
const STDIN_BYTES_MAX = 1024 * 1024;
/** Time limit for reading: a long transcript is counted over several runs. */
const TRANSCRIPT_MS = 40;
/**
 * Time limit of the earlier status line, the same as the client's (claude-code
 * 2.1.332): the client waits until the next one is due, and then ends this
 * program.
 */
const WRAPPED_MS = 600_000;

const VARIABLES = [
  ...PATH_VARIABLES,
  "ANTHROPIC_BASE_URL",
  "ANTHROPIC_CUSTOM_HEADERS",
  "TC_PROXY_PORT",
  "NO_COLOR",
  "COLUMNS",
  "CLAUDE_CONFIG_DIR",
] as const;

/** Prints the line and ends the process, with exit code 0. */
export async function statusline(
  args: readonly string[],
  system: System,
): Promise<never> {
  let lines = "";
  try {
    lines = await compose(args.includes("--wrap"), system);
  } catch {
    // An empty line is better than a broken status bar.
  }
  print(lines);
  // A pipe that never closes would hold the process.
  Deno.exit(0);
}

function print(lines: string): void {
  let bytes = new TextEncoder().encode(`${lines}\n`);
  try {
    while (bytes.length > 0) {
      bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
    }
  } catch {
    // The reader is gone.
  }
}

async function compose(
  isWrapping: boolean,
  system: System,
): Promise<string> {
  const environment = readEnvironment(system);
  const paths = pathsFrom(environment, system);
  const text = await readStdin();
  const input = statuslineInput(text);
  const before = isWrapping
    ? wrapped(paths, { environment, system }, text)
    : Promise.resolve("");
  const asked = askGlance(
    serverPlace(environment, system),
    input.session,
    SERVER_MS,
  );
  const glance = await asked ?? await stored(paths, input);
  // Not at the same time: reading a transcript would delay the server's answer.
  const tokens = tokensOf(input, paths);
  const lines = await before;
  const width = Number(environment["COLUMNS"]);
  const own = oneLine(statuslineText({
    input,
    tokens,
    glance,
    nowMs: Date.now(),
    width: Number.isInteger(width) && width > 0 ? width : null,
    isColored: !environment["NO_COLOR"],
  }));
  const swapped = readNote(paths.stateFolder, input.session);
  const note = swapped === null
    ? ""
    : `${inert(swapped)} has room: prompt again`;
  const ours = [note, own].filter((part) => part !== "").join(" │ ");
  return beside(lines, ours);
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\u2028\u2029]+/g, " ");
}

/**
 * Returns tc's line after the single line of another program, or below its
 * lines.
 */
export function beside(lines: string, own: string): string {
  if (lines === "" || own === "") return lines + own;
  // Reset its colours at its end.
  const plain = lines.includes("\u001b") ? `${lines}\u001b[0m` : lines;
  return plain + (lines.includes("\n") ? "\n" : " │ ") + own;
}

function readEnvironment(system: System): Environment {
  return withHome(
    Object.fromEntries(
      VARIABLES.map((name) => [name, Deno.env.get(name)]),
    ),
    system,
  );
}

/** Returns what stdin gave within the time; nothing from a terminal. */
async function readStdin(): Promise<string> {
  if (Deno.stdin.isTerminal()) return "";
  const decoder = new TextDecoder();
  let text = "";
  async function read(): Promise<void> {
    const chunk = new Uint8Array(64 * 1024);
    while (text.length < STDIN_BYTES_MAX) {
      const length = await Deno.stdin.read(chunk);
      if (length === null) return;
      text += decoder.decode(chunk.subarray(0, length), { stream: true });
    }
  }
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, STDIN_MS);
  await Promise.race([read().catch(() => {}), late]);
  clearTimeout(timer);
  return text;
}

async function stored(
  { stateFolder }: Paths,
  { session }: StatuslineInput,
): Promise<PoolGlance | null> {
  const { storedGlance } = await import("../../store/ledger/pool_glance.ts");
  return storedGlance(stateFolder, session, Date.now());
}

function tokensOf(
  { transcript, session }: StatuslineInput,
  paths: Paths,
): SessionTokens | null {
  if (transcript === null || session === null) return null;
  const file = `${paths.stateFolder}/statusline/${session}.json`;
  const startMs = performance.now();
  const tokens = sessionTokens({
    transcript,
    session,
    before: readTally(file),
    mayGoOn: () => performance.now() - startMs < TRANSCRIPT_MS,
  });
  writeTally(file, tokens.tally);
  return tokens;
}

function readTally(file: string): SessionTally {
  try {
    return JSON.parse(Deno.readTextFileSync(file)) as SessionTally;
  } catch {
    // Count from the beginning.
    return {};
  }
}

/** Stores the count. Two runs at once may both write; either is correct. */
function writeTally(file: string, tally: SessionTally): void {
  const pending = `${file}.${Deno.pid}`;
  try {
    Deno.mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    Deno.writeTextFileSync(pending, JSON.stringify(tally), { mode: 0o600 });
    Deno.renameSync(pending, file);
  } catch {
    // The next run counts from the last stored position.
  }
}

async function wrapped(
  paths: Paths,
  host: Host,
  text: string,
): Promise<string> {
  const { readKept, runWrapped } = await import("./statusline_wrapped.ts");
  const { claudeFolder } = await import("../../claude/claude_folder.ts");
  const { settingsFile } = claudeFolder({
    ...host,
    userName: null,
  });
  const { clientShell, CLIENT_SHELL_VARIABLES } = await import(
    "../../claude/client_shell.ts"
  );
  return await runWrapped(readKept(paths)[settingsFile], text, {
    timeoutMs: WRAPPED_MS,
    system: host.system,
    shell: clientShell({
      system: host.system,
      environment: Object.fromEntries(
        CLIENT_SHELL_VARIABLES.map((name) => [name, Deno.env.get(name)]),
      ),
      isFile: (path) => {
        try {
          return Deno.statSync(path).isFile;
        } catch {
          return false;
        }
      },
    }),
  });
}

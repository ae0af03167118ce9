/**
 * The earlier status line: it is stored unchanged, and run beside tc's.
 *
 * @module
 */

import type { ClientShell } from "../../claude/client_shell.ts";
import { refuseForeignPlace } from "../../store/files/own_files.ts";
import { join } from "node:path";
import type { Paths } from "../../system/paths.ts";
import type { System } from "../../variables.ts";
import { knownSignals } from "../../signals.ts";

const FILE = "statusline.json";
/**
 * More than any status bar can show; a command that never stops is cut here.
 */
const TEXT_LENGTH_MAX = 1024 * 1024;

/** Old settings by the settings file that they came from. */
type KeptStatuslines = Readonly<Record<string, unknown>>;

/**
 * Returns the file, beside tc's settings: losing it would lose what the user
 * had set.
 */
export function keptFile({ secretsFolder }: Paths): string {
  return join(secretsFolder, FILE);
}

export function readKept(paths: Paths): KeptStatuslines {
  try {
    // It holds commands; those of another user must not run.
    refuseForeignPlace(keptFile(paths));
    const value: unknown = JSON.parse(Deno.readTextFileSync(keptFile(paths)));
    return typeof value === "object" && value !== null
      ? value as KeptStatuslines
      : {};
  } catch {
    return {};
  }
}

/** Returns the command of an old setting, or null. */
export function commandOf(setting: unknown): string | null {
  const { type, command } = (setting ?? {}) as Record<string, unknown>;
  return type === "command" && typeof command === "string" ? command : null;
}

/**
 * Returns all lines of the old status line, with their colours; empty if there
 * is none.
 */
export async function runWrapped(
  setting: unknown,
  input: string,
  { timeoutMs, shell, system }: {
    readonly timeoutMs: number;
    readonly shell: ClientShell;
    readonly system: System;
  },
): Promise<string> {
  const command = commandOf(setting);
  if (command === null) return "";
  const [program, ...args] = shell(command);
  return await run([program, ...args], input, { timeoutMs, system });
}

async function run(
  [program, ...args]: readonly [string, ...string[]],
  input: string,
  { timeoutMs, system }: {
    readonly timeoutMs: number;
    readonly system: System;
  },
): Promise<string> {
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  writer.write(new TextEncoder().encode(input)).then(() => writer.close())
    .catch(() => {
      // The command does not read its input.
    });
  // The client ends this program when the next line is due; end the command
  // too.
  const release = endWith(child, system);
  const text = await textWithin(child.stdout, timeoutMs);
  release();
  kill(child);
  await child.status;
  return text.replace(/\s+$/, "");
}

/**
 * Returns what came until the end or until `timeoutMs` had passed. The end may
 * never come: a program that the command started may keep its output open.
 */
async function textWithin(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  timeoutMs: number,
): Promise<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  async function read(): Promise<void> {
    while (text.length < TEXT_LENGTH_MAX) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
    }
  }
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, timeoutMs);
  await Promise.race([read().catch(() => {}), late.promise]);
  clearTimeout(timer);
  await reader.cancel().catch(() => {});
  return text;
}

/**
 * Ends `child` when this process gets a signal to end. Returns the function
 * that removes the handlers.
 */
function endWith(child: Deno.ChildProcess, system: System): () => void {
  const signals = knownSignals(["SIGTERM", "SIGHUP", "SIGINT"], system);
  function end(): void {
    kill(child);
    Deno.exit(0);
  }
  for (const signal of signals) Deno.addSignalListener(signal, end);
  return () => {
    for (const signal of signals) Deno.removeSignalListener(signal, end);
  };
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}

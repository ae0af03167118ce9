/**
 * The status line that was there before tc's own: kept as it was, and run
 * beside it.
 *
 * @module
 */

import { join } from "node:path";
import type { Paths } from "../app/paths.ts";

const FILE = "statusline.json";
const LINE_LENGTH_MAX = 400;
const TEXT_LENGTH_MAX = 64 * 1024;

/** Old settings by the settings file that they stood in. */
export type KeptStatuslines = Readonly<Record<string, unknown>>;

/** Beside the settings of tc: losing it would lose what a person had set. */
export function keptFile({ secretsFolder }: Paths): string {
  return join(secretsFolder, FILE);
}

export function readKept(paths: Paths): KeptStatuslines {
  try {
    const value: unknown = JSON.parse(Deno.readTextFileSync(keptFile(paths)));
    return typeof value === "object" && value !== null
      ? value as KeptStatuslines
      : {};
  } catch {
    return {};
  }
}

/** The command of an old setting, or null. */
export function commandOf(setting: unknown): string | null {
  const { type, command } = (setting ?? {}) as Record<string, unknown>;
  return type === "command" && typeof command === "string" ? command : null;
}

/** The first line of the old status line; empty where there is none. */
export async function runWrapped(
  setting: unknown,
  input: string,
  timeoutMs: number,
): Promise<string> {
  const command = commandOf(setting);
  return command === null ? "" : await run(command, input, timeoutMs);
}

async function run(
  command: string,
  input: string,
  timeoutMs: number,
): Promise<string> {
  const isWindows = Deno.build.os === "windows";
  const child = new Deno.Command(isWindows ? "cmd.exe" : "sh", {
    args: isWindows ? ["/d", "/s", "/c", command] : ["-c", command],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  writer.write(new TextEncoder().encode(input)).then(() => writer.close())
    .catch(() => {
      // It does not read its input.
    });
  const text = await textWithin(child.stdout, timeoutMs);
  kill(child);
  return text.split("\n", 1)[0]?.trimEnd().slice(0, LINE_LENGTH_MAX) ?? "";
}

/**
 * What came until the end or until `timeoutMs` had passed. The end may never
 * come: a program that the command started may hold its output open.
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

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It ended meanwhile.
  }
}

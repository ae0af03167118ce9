/**
 * `tc logs`: prints the end of the server's log file, and follows it with `-f`.
 *
 * @module
 */

import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { EXIT, TcError, UsageError } from "../../errors.ts";
import { systemClock } from "../../system/clock.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import type { Output } from "../output.ts";
import { Shell } from "../shell.ts";
import { parsedLine } from "../../records/log/journal.ts";

const LINES = "50";
const LINES_MAX = 100_000;
const FOLLOW_MS = 300;

const TEXT: CommandText = {
  name: "logs",
  group: "server",
  summary: "Print the server's log, and follow it with -f",
  examples: [
    "tc logs",
    "tc logs -f",
    "tc logs --lines 500",
    "tc logs -f --json",
  ],
  schema: "tc.log/v1",
};

export function registerLogs(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("-f, --follow", "Print new lines as they come")
    .option("--lines <number>", "Lines to print at first", LINES)
    .option("--json", "Print one JSON object per line")
    .action(registry.run((options) => {
      const shell = new Shell(registry, options);
      return logs(shell, {
        lines: lineCount(options.lines),
        isFollowing: options.follow ?? false,
      });
    }));
}

function lineCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= LINES_MAX) return count;
  throw new UsageError(
    `Cannot print ${text} lines: it must be a whole number up to ${LINES_MAX}`,
  );
}

async function logs(
  shell: Shell,
  { lines, isFollowing }: {
    readonly lines: number;
    readonly isFollowing: boolean;
  },
): Promise<number> {
  const file = join(shell.paths.stateFolder, "server.log");
  const bytes = readFrom(file, 0);
  if (bytes === null) throw noLog(file);
  const text = new TextDecoder().decode(bytes);
  const all = text.split("\n").filter((line) => line !== "");
  for (const line of lines === 0 ? [] : all.slice(-lines)) {
    print(line, shell.output);
  }
  if (isFollowing) await follow(file, bytes.length, shell);
  return EXIT.ok;
}

/** Prints what is added to the file, until the process ends by a signal. */
async function follow(
  file: string,
  printed: number,
  { output }: Shell,
): Promise<void> {
  let at = printed;
  let rest = "";
  let decoder = new TextDecoder();
  for (;;) {
    await systemClock.sleep(FOLLOW_MS);
    const size = sizeOf(file);
    // The server has begun a new file.
    if (size < at) {
      at = 0;
      decoder = new TextDecoder();
    }
    const bytes = size === at ? null : readFrom(file, at);
    if (bytes === null) continue;
    at += bytes.length;
    const lines = `${rest}${decoder.decode(bytes, { stream: true })}`
      .split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) print(line, output);
  }
}

function print(line: string, output: Output): void {
  if (output.isJson) output.json({ schema: TEXT.schema, ...parsedLine(line) });
  else output.line(line);
}

function sizeOf(file: string): number {
  try {
    return Deno.statSync(file).size;
  } catch {
    // The server is renaming it.
    return 0;
  }
}

/** Returns the bytes of the file from `offset` on, or null without a file. */
function readFrom(file: string, offset: number): Uint8Array | null {
  try {
    return Deno.readFileSync(file).subarray(offset);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw cause;
  }
}

function noLog(file: string): TcError {
  return new TcError(`There is no server log at ${file}`, {
    code: "no_log",
    source: "user",
    hint: "A server in the foreground logs to its terminal, " +
      "and one under systemd to the journal:\n" +
      "journalctl --user -u tc   prints that",
  });
}

/**
 * `tc` alone: the state of the pool and the next step.
 *
 * @module
 */

import type { Host } from "../../variables.ts";
import { buildInfo } from "../../release/version.ts";
import { EXIT, TcError } from "../../errors.ts";
import { storedAccounts } from "../accounts/account_work.ts";
import { type CommonOptions, Shell } from "../shell.ts";
import {
  accountLines,
  INDENT,
  printNotices,
  verdictLine,
} from "./status_text.ts";

/** Prints the state of the pool and what to do next. */
export async function overview(
  host: Host,
  options: CommonOptions,
): Promise<number> {
  const shell = new Shell(host, options);
  const { output } = shell;
  try {
    const view = await shell.client().status();
    if (output.isJson) {
      output.json(view);
      return EXIT.ok;
    }
    output.sentence(verdictLine(view, output), INDENT);
    for (const line of accountLines(view, output)) output.line(line);
    output.line();
    printNotices(view, output);
    output.line("Claude Code through the pool: tc run");
    output.line("The live view: tc watch");
    return EXIT.ok;
  } catch (cause) {
    if (!(cause instanceof TcError) || cause.code !== "not_running") {
      throw cause;
    }
    return await withoutServer(shell);
  }
}

async function withoutServer(shell: Shell): Promise<number> {
  const { output } = shell;
  const { accounts } = await storedAccounts(shell);
  const { version } = buildInfo();
  if (output.isJson) {
    output.json({
      schema: "tc.overview/v1",
      version,
      running: false,
      accounts: accounts.length,
    });
    return EXIT.ok;
  }
  output.sentence(
    `tc ${version}: all your Claude accounts behind one local address`,
    INDENT,
  );
  output.line();
  for (
    const line of accounts.length === 0 ? FIRST_TIME : stopped(accounts.length)
  ) {
    output.sentence(line, COMMAND_WIDTH);
  }
  return EXIT.ok;
}

/** Cells before what a command does. */
const COMMAND_WIDTH = 22;

const FIRST_TIME: readonly string[] = [
  "No accounts yet. Three ways to add one:",
  "  tc login            a Claude subscription, in your browser",
  "  tc login --api      an Anthropic API key (the sanctioned way for tools)",
  "  tc import           what Claude Code or another pool tool already holds",
  "",
  "Just looking? tc demo runs it with simulated accounts.",
];

function stopped(count: number): readonly string[] {
  return [
    `${count} account${count === 1 ? "" : "s"}, and no server runs.`,
    "  tc run              Claude Code through the pool; starts the server",
    "  tc server           the server alone, in the foreground",
    "  tc accounts         lists them",
  ];
}

/**
 * `tc explain`: why an account serves a conversation, and where the next
 * request would go.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { explainLines } from "../../control/explain_text.ts";
import { EXIT } from "../../errors.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { cellLines } from "../table.ts";

const TEXT: CommandText = {
  name: "explain",
  group: "look",
  summary: "Say where a session's next request goes, and why",
  examples: [
    "tc explain",
    "tc explain 5f2c91",
    "tc explain tc_4f1a",
    "tc explain 5f2c91 --json",
  ],
  schema: "tc.explain/v1",
};

/** Cells before each row of the table. */
const INDENT = 2;

/** Returns how the columns are set: account, reason, numbers, and the cost. */
function looksOf(count: number): Parameters<typeof cellLines>[1] {
  return Array.from({ length: count }, (_, at) => {
    if (at === 0) return { cutTo: 8 };
    if (at === 1) return { cutTo: 12, isSentence: true };
    // The parts of a cost go first, the cost itself never.
    return at === count - 1
      ? { isNumber: true }
      : { isNumber: true, drop: 1 + at };
  });
}

export function registerExplain(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .argument("[session]", "A session or request; without it the last one")
    .option("--json", "Print one JSON object")
    .action(registry.run(async (session, options) => {
      const shell = new Shell(registry, options);
      const view = await shell.client().explain(session ?? null);
      if (shell.output.isJson) shell.output.json(view);
      else {
        const { width } = shell.output;
        const layout = (rows: readonly (readonly string[])[]) =>
          cellLines(rows, looksOf(rows[0]?.length ?? 0), width - INDENT);
        for (const line of explainLines(view, { layout })) {
          shell.output.line(line);
        }
      }
      return EXIT.ok;
    }));
}

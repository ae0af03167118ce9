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

const TEXT: CommandText = {
  name: "explain",
  group: "look",
  summary: "Say where a session's next request goes, and why",
  examples: ["tc explain", "tc explain 5f2c91", "tc explain 5f2c91 --json"],
  schema: "tc.explain/v1",
};

export function registerExplain(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .argument("[session]", "A session or request; without it the last one")
    .option("--json", "Print one JSON object")
    .action(registry.run(async (session, options) => {
      const shell = new Shell(registry, options);
      const view = await shell.client().explain(session ?? null);
      if (shell.output.isJson) shell.output.json(view);
      else for (const line of explainLines(view)) shell.output.line(line);
      return EXIT.ok;
    }));
}

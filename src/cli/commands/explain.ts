/**
 * `tc explain`: why a session is where it is, and where its next request goes.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { explainLines } from "../../control/explain_text.ts";
import { inert } from "../../control/words.ts";
import { EXIT } from "../../errors.ts";
import { commandText } from "../command_table.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

export function registerExplain(program: Command, registry: Registry): void {
  program.command("explain")
    .description(commandText("explain").summary)
    .argument("[session]", "Its id, or the first characters of it")
    .option("--json", "Print one JSON object")
    .action(registry.run(async (session, options) => {
      const shell = new Shell(registry.environment, options);
      const { output } = shell;
      const view = await shell.client().explain(session ?? null);
      if (output.isJson) {
        output.json(view);
        return EXIT.ok;
      }
      output.line(
        view.session === null ? "A new session" : `Session ${view.session}`,
      );
      output.line();
      for (const line of explainLines(view)) output.line(inert(line));
      return EXIT.ok;
    }));
}

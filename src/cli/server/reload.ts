/**
 * `tc reload`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { CONTROL } from "../../control/protocol.ts";
import { inert } from "../../control/words.ts";
import { EXIT } from "../../errors.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

const TEXT: CommandText = {
  name: "reload",
  group: "server",
  summary: "Reload settings and accounts in the running server",
  examples: ["tc reload"],
  schema: "tc.reload/v1",
};

export function registerReload(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--json", "Print one JSON object")
    .action(registry.run(async (options) => {
      const shell = new Shell(registry, options);
      const { output } = shell;
      const answer = await shell.client().send("POST", CONTROL.reload, {});
      const changes = changesOf(answer);
      if (output.isJson) {
        output.json({ schema: "tc.reload/v1", changes });
        return EXIT.ok;
      }
      for (const change of changes) output.line(inert(change));
      if (changes.length === 0) output.line("Nothing has changed.");
      return EXIT.ok;
    }));
}

function changesOf(answer: unknown): readonly string[] {
  const { changes } = (answer ?? {}) as { readonly changes?: unknown };
  return Array.isArray(changes) ? changes.map(String) : [];
}

/**
 * `tc version`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { buildInfo, versionText } from "../../release/version.ts";
import { EXIT } from "../../errors.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

const TEXT: CommandText = {
  name: "version",
  group: "more",
  summary: "Print the version",
  examples: ["tc version", "tc version --json"],
  schema: "tc.version/v1",
};

export function registerVersion(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--json", "Print one JSON object")
    .action(registry.run((options) => {
      const { output } = new Shell(registry, options);
      if (output.isJson) {
        output.json({ schema: "tc.version/v1", ...buildInfo() });
      } else output.line(versionText());
      return EXIT.ok;
    }));
}

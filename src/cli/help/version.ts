/**
 * `tc version`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { buildInfo, versionText } from "../../release/version.ts";
import { EXIT } from "../../errors.ts";
import { commandText } from "../command_table.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

export function registerVersion(program: Command, registry: Registry): void {
  program.command("version")
    .description(commandText("version").summary)
    .option("--json", "Print one JSON object")
    .action(registry.run((options) => {
      const { output } = new Shell(registry.environment, options);
      if (output.isJson) {
        output.json({ schema: "tc.version/v1", ...buildInfo() });
      } else output.line(versionText());
      return EXIT.ok;
    }));
}

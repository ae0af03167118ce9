/**
 * `tc man`: the manual page.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { buildInfo } from "../../release/version.ts";
import { EXIT } from "../../errors.ts";
import { commandText } from "../command_table.ts";
import { manPage } from "./man_page.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

export function registerMan(program: Command, registry: Registry): void {
  program.command("man")
    .description(commandText("man").summary)
    .action(registry.run(() => {
      const { output } = new Shell(registry.environment, {});
      output.raw(manPage(program, buildInfo()));
      return EXIT.ok;
    }));
}

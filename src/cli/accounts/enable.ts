/**
 * `tc enable` and `tc disable`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { changeAccount } from "./account_work.ts";
import { commandText } from "../command_table.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

export function registerEnable(program: Command, registry: Registry): void {
  register(program, registry, {
    name: "enable",
    isEnabled: true,
    told: (label) => `${label} takes requests again.`,
  });
}

export function registerDisable(program: Command, registry: Registry): void {
  register(program, registry, {
    name: "disable",
    isEnabled: false,
    told: (label) => `${label} takes no new request.`,
  });
}

interface Way {
  readonly name: "enable" | "disable";
  readonly isEnabled: boolean;
  readonly told: (label: string) => string;
}

function register(program: Command, registry: Registry, way: Way): void {
  program.command(way.name)
    .description(commandText(way.name).summary)
    .argument("<account>", "The account's name or id")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((wanted, options) =>
        changeAccount(new Shell(registry.environment, options), {
          wanted,
          change: { enabled: way.isEnabled },
          schema: `tc.${way.name}/v1`,
          told: way.told,
        })
      ),
    );
}

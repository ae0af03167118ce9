/**
 * `tc enable` and `tc disable`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { changeAccount } from "./account_work.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

export function registerEnable(program: Command, registry: Registry): void {
  register(program, registry, {
    text: {
      name: "enable",
      group: "accounts",
      summary: "Let an account take requests again",
      examples: ["tc enable spare"],
      schema: "tc.enable/v1",
    },
    isEnabled: true,
    told: (label) => `${label} takes requests again.`,
  });
}

export function registerDisable(program: Command, registry: Registry): void {
  register(program, registry, {
    text: {
      name: "disable",
      group: "accounts",
      summary: "Take an account out of use and keep it",
      examples: ["tc disable spare"],
      schema: "tc.disable/v1",
    },
    isEnabled: false,
    told: (label) => `${label} takes no new requests.`,
  });
}

interface Way {
  readonly text: CommandText & { readonly schema: string };
  readonly isEnabled: boolean;
  readonly told: (label: string) => string;
}

function register(program: Command, registry: Registry, way: Way): void {
  addCommand(program, registry, way.text)
    .argument("<account>", "The account's name or id")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((wanted, options) =>
        changeAccount(new Shell(registry, options), {
          wanted,
          change: { enabled: way.isEnabled },
          schema: way.text.schema,
          told: way.told,
        })
      ),
    );
}

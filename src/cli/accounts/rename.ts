/**
 * `tc rename`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { checkName } from "../../store/account_desk.ts";
import { changeAccount } from "./account_work.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

const TEXT: CommandText = {
  name: "rename",
  group: "accounts",
  summary: "Give an account another name",
  examples: ["tc rename spare home"],
  schema: "tc.rename/v1",
};

export function registerRename(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .argument("<account>", "The account's name or id")
    .argument("<name>", "Its new name")
    .option("--json", "Print one JSON object")
    .action(registry.run((wanted, name, options) => {
      checkName(name);
      return changeAccount(new Shell(registry, options), {
        wanted,
        change: { name },
        schema: "tc.rename/v1",
        told: (label, before) => `Renamed ${before} to ${label}.`,
      });
    }));
}

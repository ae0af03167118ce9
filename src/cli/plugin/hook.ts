/**
 * `tc hook`: in the tree so that it is known; the program's start answers it
 * before the tree is loaded.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { runHook } from "./hook_run.ts";
import type { Registry } from "../registry.ts";

export function registerHook(program: Command, registry: Registry): void {
  program.command("hook", { hidden: true })
    .description("What the Claude Code plugin's hooks run")
    .argument("[name...]")
    .allowUnknownOption()
    .action(registry.run((words) => runHook(words[0])));
}

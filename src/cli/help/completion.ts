/**
 * `tc completion` and the question that its scripts ask.
 *
 * @module
 */

import { Argument, type Command } from "@commander-js/extra-typings";
import { settingRows } from "../../config/settings.ts";
import { inert } from "../../control/words.ts";
import { EXIT } from "../../errors.ts";
import { storedAccounts } from "../accounts/accounts_store.ts";
import { commandText } from "../command_table.ts";
import { candidates } from "./complete.ts";
import { COMPLETION_SHELLS, completionScript } from "./completion_scripts.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

export function registerCompletion(program: Command, registry: Registry): void {
  const shells = COMPLETION_SHELLS.join(", ");
  program.command("completion")
    .description(commandText("completion").summary)
    .addArgument(
      new Argument("<shell>", `One of ${shells}`).choices(COMPLETION_SHELLS),
    )
    .action(registry.run((name) => {
      const { output } = new Shell(registry.environment, {});
      output.raw(completionScript(name));
      return EXIT.ok;
    }));
  program.command("__complete", { hidden: true })
    .argument("[words...]")
    .action(
      registry.run((words) =>
        answer(
          program,
          new Shell(registry.environment, { input: false }),
          words,
        )
      ),
    );
}

/** Prints the candidates; silent on every trouble, for a prompt waits. */
async function answer(
  program: Command,
  shell: Shell,
  words: readonly string[],
): Promise<number> {
  try {
    // PowerShell drops an empty last word, so its script sends quotes.
    const typed = words.map((word) => word === '""' ? "" : word);
    const found = await candidates(program, typed.length > 0 ? typed : [""], {
      accounts: async () =>
        (await storedAccounts(shell)).accounts.map(({ account }) =>
          account.label
        ),
      settings: () => settingRows().map(({ key }) => key),
    });
    for (const { word, help } of found) {
      shell.output.line(`${inert(word)}\t${inert(help)}`);
    }
  } catch {
    // A broken config or vault is for the other commands to report.
  }
  return EXIT.ok;
}

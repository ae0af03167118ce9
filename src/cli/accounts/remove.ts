/**
 * `tc remove`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { inert } from "../../control/words.ts";
import { EXIT } from "../../errors.ts";
import { findAccount } from "../../store/account_desk.ts";
import { byServerOr, openDesk, removeHere } from "./account_work.ts";
import { askYes, cancelled } from "../asking.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { commandWord } from "../../shell_words.ts";

interface RemoveOptions {
  readonly yes?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

const TEXT: CommandText = {
  name: "remove",
  group: "accounts",
  summary: "Remove an account and its credential",
  examples: ["tc remove spare", "tc remove spare --yes"],
  schema: "tc.remove/v1",
};

export function registerRemove(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .argument("<account>", "The account's name or id")
    .option("-y, --yes", "Do not ask")
    .option("--force", "Do not wait for its running requests")
    .option("--dry-run", "Print what would be done, and do nothing")
    .option("--json", "Print one JSON object")
    .option("--no-input", "Never ask anything")
    .action(
      registry.run((account, options) =>
        remove(new Shell(registry, options), account, options)
      ),
    );
}

async function remove(
  shell: Shell,
  wanted: string,
  { yes, force, dryRun }: RemoveOptions,
): Promise<number> {
  const { output } = shell;
  const { desk } = await openDesk(shell);
  const { id, label } = findAccount(await desk.list(), wanted);
  const name = inert(label);
  if (dryRun) {
    output.say(`Would take ${name} out of ${shell.config.file}`);
    output.say(`Would delete its credential (${id}) from the vault`);
    if (output.isJson) {
      output.json({ schema: "tc.remove/v1", id, label, removed: false });
    }
    return EXIT.ok;
  }
  if (!yes) {
    output.say(`This deletes the credential of ${name} from the vault.`);
    output.say("Its usage history is kept.");
    const question = `Remove the account ${name}?`;
    if (
      !await askYes(shell, question, `tc remove ${commandWord(name)} --yes`)
    ) {
      throw cancelled();
    }
  }
  const client = shell.client();
  await byServerOr({
    server: async () => {
      await client.send("DELETE", client.accountPath(id), {
        force: force ?? false,
      });
    },
    alone: async () => {
      await removeHere(shell, desk, id);
    },
  });
  if (output.isJson) {
    output.json({ schema: "tc.remove/v1", id, label, removed: true });
  } else output.line(`Removed ${name}.`);
  return EXIT.ok;
}

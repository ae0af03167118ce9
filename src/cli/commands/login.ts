/**
 * `tc login`.
 *
 * @module
 */

import { type Command, Option } from "@commander-js/extra-typings";
import { addKey, readKey } from "../../auth/api_key.ts";
import { systemClock } from "../../app/clock.ts";
import { inert } from "../../control/words.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { checkName } from "../../store/account_desk.ts";
import {
  checkFree,
  openDesk,
  takenNames,
  tellServer,
  wantedAccount,
} from "../account_work.ts";
import { askSecret, readStdin } from "../asking.ts";
import { commandText } from "../command_table.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

export interface LoginCommandOptions {
  readonly api?: boolean | undefined;
  readonly apiKeyStdin?: boolean | undefined;
  readonly apiKey?: string | undefined;
  readonly name?: string | undefined;
  readonly account?: string | undefined;
}

export function registerLogin(program: Command, registry: Registry): void {
  program.command("login")
    .description(commandText("login").summary)
    .option("--api", "Add an API key, asked for without showing it")
    .option("--api-key-stdin", "Read the API key from standard input")
    .addOption(new Option("--api-key <key>").hideHelp())
    .option("--name <name>", "Name for the account")
    .option("--account <account>", "Give this account a new login")
    .option("--json", "Print one JSON object")
    .option("--no-input", "Never ask anything")
    .action(registry.run((options) => {
      const shell = new Shell(registry.environment, options);
      if (options.apiKey !== undefined) throw keyInArguments();
      return loginWithKey(shell, options);
    }));
}

/** Whoever lists processes, and the shell's history, would see it. */
function keyInArguments(): UsageError {
  return new UsageError(
    "Cannot take a key as an argument: other programs can read arguments",
    "tc login --api                        asks for it\n" +
      "tc login --api --api-key-stdin <FILE   reads it from a file",
  );
}

async function loginWithKey(
  shell: Shell,
  { name, account, apiKeyStdin }: LoginCommandOptions,
): Promise<number> {
  const { output } = shell;
  if (name !== undefined) checkName(name);
  const { desk, vault } = await openDesk(shell);
  const listing = await desk.list();
  const wanted = wantedAccount(listing, account);
  if (name !== undefined && name !== wanted?.label) checkFree(name, listing);
  const text = apiKeyStdin
    ? await readStdin("the key")
    : await askSecret(shell, "API key");
  const credential = readKey(text, null);
  if (credential.kind === "oauth") throw new TypeError("A key is no login");
  const entry = await addKey(credential, {
    name: name ?? null,
    account: wanted?.id ?? null,
    backend: null,
    taken: takenNames(listing),
  }, { vault, clock: systemClock });
  await desk.enlist(entry.id);
  if (name !== undefined && wanted !== null) {
    await desk.change(entry.id, { name });
  }
  const isLive = await tellServer(shell);
  const isNew = !listing.entries.some(({ id }) => id === entry.id);
  if (output.isJson) {
    const { id, label, kind } = entry;
    output.json({
      schema: "tc.login/v1",
      result: isNew ? "added" : "updated",
      account: { id, label, kind },
      isLive,
    });
    return EXIT.ok;
  }
  output.line(`${isNew ? "Added" : "Updated"} ${inert(entry.label)}.`);
  if (!isLive) output.say("tc run   starts Claude Code through the pool");
  return EXIT.ok;
}

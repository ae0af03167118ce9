/**
 * `tc store`: one pool for several machines of one person.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { forget } from "./forget.ts";
import { invite } from "./invite.ts";
import { join } from "./join.ts";
import { leave } from "./leave.ts";
import { storeStatus } from "./store_status.ts";

const TEXT: CommandText = {
  name: "store",
  group: "accounts",
  summary: "Share this pool between your own machines",
  examples: [
    "tc store join postgres://me@db.example.com/tc",
    "tc store invite",
    "tc store status",
    "tc store leave",
    "tc store forget old-laptop",
  ],
  schema: "tc.store/v1",
};

export function registerStore(program: Command, registry: Registry): void {
  const store = addCommand(program, registry, TEXT);
  store.command("join").description("Make this machine part of a shared pool")
    .argument("[address]", "postgres:// address; an invitation is asked for")
    .option("--name <name>", "What this machine is called; its host name")
    .option("--stdin", "Read the address or the invitation from standard input")
    .option("--no-move", "Do not move this machine's accounts in")
    .option("-y, --yes", "Do not ask")
    .option("--no-input", "Never ask anything")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((address, options) =>
        join(new Shell(registry, options), address, options)
      ),
    );
  store.command("invite").description(
    "Print what a further machine of yours needs to join: a secret",
  )
    .option("--json", "Print one JSON object")
    .action(registry.run((options) => invite(new Shell(registry, options))));
  store.command("status").description("Show the store and its machines")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((options) => storeStatus(new Shell(registry, options))),
    );
  store.command("leave").description("Take this machine out of the pool")
    .option("--take", "Take every login home; the other machines lose them")
    .option("--force", "Leave although the store cannot be reached")
    .option("-y, --yes", "Do not ask")
    .option("--no-input", "Never ask anything")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((options) => leave(new Shell(registry, options), options)),
    );
  store.command("forget").description(
    "Take a machine that is gone for good out of the list",
  )
    .argument("<name>", "Its name in tc store status")
    .option("-y, --yes", "Do not ask")
    .option("--no-input", "Never ask anything")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((name, options) =>
        forget(new Shell(registry, options), name, options)
      ),
    );
}

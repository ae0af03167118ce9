/**
 * `tc pin`: sends all work to one account while it can serve.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { CONTROL, type StatusView } from "../../control/protocol.ts";
import { inert } from "../../control/words.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

const TEXT: CommandText = {
  name: "pin",
  group: "accounts",
  summary: "Send all work to one account while it can serve",
  examples: ["tc pin work", "tc pin", "tc pin --clear", "tc switch home"],
  schema: "tc.pin/v1",
};

export function registerPin(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .alias("switch")
    .argument("[account]", "The account's name or id")
    .option("--clear", "Remove the pin")
    .option("--json", "Print one JSON object")
    .action(registry.run(async (account, options) => {
      const shell = new Shell(registry, options);
      if (account !== undefined && options.clear === true) {
        throw new UsageError(
          "Cannot pin: give an account or --clear, not both",
          "tc pin work\ntc pin --clear",
        );
      }
      const wanted = account ?? null;
      const isAsked = wanted === null && options.clear !== true;
      // tc's own server sends a StatusView.
      const { server } = isAsked
        ? await shell.client().status()
        : await shell.client()
          .send("PUT", CONTROL.pin, { account: wanted }) as StatusView;
      if (shell.output.isJson) {
        shell.output.json({ schema: "tc.pin/v1", account: server.pin });
      } else if (server.pin === null) shell.output.line("No account is pinned");
      else {
        shell.output.line(`All work goes to ${inert(server.pin)}`);
        shell.output.say(
          "If it runs out, other accounts take over until its reset.",
        );
      }
      return EXIT.ok;
    }));
}

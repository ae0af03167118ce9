/**
 * `tc ui`: opens the page of the running server in the browser.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { CONTROL, type LinkView } from "../../control/protocol.ts";
import { EXIT, TcError } from "../../errors.ts";
import { browserCommand, openInBrowser } from "../open_browser.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

const TEXT: CommandText = {
  name: "ui",
  group: "look",
  summary: "Open the page: the pool in a browser",
  examples: ["tc ui", "tc ui --print"],
  schema: "tc.ui/v1",
};

export function registerUi(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--print", "Print the link instead of opening it")
    .option("--json", "Print one JSON object, and open nothing")
    .action(registry.run((options) => {
      return ui(new Shell(registry, options), options.print ?? false);
    }));
}

async function ui(shell: Shell, isPrinted: boolean): Promise<number> {
  const { output, environment, system } = shell;
  const link = linkIn(await shell.client().send("POST", CONTROL.link, {}));
  const url = new URL(link.path, shell.origin);
  if (output.isJson) {
    output.json({ ...link, url: url.href });
    return EXIT.ok;
  }
  const command = isPrinted ? null : browserCommand(environment, system);
  const isOpened = command !== null && await openInBrowser(url, command);
  if (isOpened) {
    output.line("The page is open in the browser.");
    return EXIT.ok;
  }
  output.line(url.href);
  output.say(
    "The link works once, within a minute. From another machine: ssh -L " +
      `${url.port}:127.0.0.1:${url.port} this-machine, then open it there.`,
  );
  return EXIT.ok;
}

function linkIn(answer: unknown): LinkView {
  const path = (answer as Partial<LinkView> | null)?.path;
  if (typeof path === "string") return { schema: "tc.ui/v1", path };
  throw new TcError("Cannot open the page: the server is older than it", {
    code: "no_page",
    hint: "tc restart   starts this version",
  });
}

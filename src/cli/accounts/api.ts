/**
 * `tc api`: one call with an account's credential, made by the server.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { CONTROL } from "../../control/protocol.ts";
import type { ApiCallView } from "../../control/routes.ts";
import { EXIT, reasonOf, TcError, UsageError } from "../../errors.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

interface ApiFlags {
  readonly account?: string | undefined;
  readonly method?: string | undefined;
  readonly data?: string | undefined;
  readonly json?: boolean | undefined;
}

const CALL_TIMEOUT_MS = 125_000;

const TEXT: CommandText = {
  name: "api",
  group: "look",
  summary: "Make one API call with an account's credential",
  examples: [
    "tc api /v1/models",
    "tc api /v1/messages/count_tokens --data @body.json",
  ],
  schema: null,
};

export function registerApi(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .argument("<path>", "Such as /v1/models; relative to the upstream")
    .option("--account <name>", "Use this account; without it the pool chooses")
    .option("--method <name>", "GET, or POST where there is data")
    .option("--data <json>", "The body; @file reads it, @- reads stdin")
    .option("--json", "Print status, headers and body as one JSON object")
    .action(registry.run(async (path, flags) => {
      return await call(new Shell(registry, flags), path, flags);
    }));
}

async function call(
  shell: Shell,
  path: string,
  flags: ApiFlags,
): Promise<number> {
  if (!path.startsWith("/")) {
    throw new UsageError(
      `Cannot call ${path}: a path begins with / and names no host`,
      "tc api /v1/models",
    );
  }
  const body = flags.data === undefined ? null : await bodyOf(flags.data);
  const view = await shell.client(CALL_TIMEOUT_MS).send("POST", CONTROL.call, {
    method: flags.method ?? (body === null ? "GET" : "POST"),
    path,
    account: flags.account ?? null,
    body,
  }) as ApiCallView;
  const { output } = shell;
  if (output.isJson) output.json(view);
  else {
    // A program gets every byte; a terminal gets no control characters.
    if (output.isTerminal) output.line(view.body);
    else output.raw(`${view.body}\n`);
    output.say(`${view.status} from ${view.account}`);
  }
  return view.status < 400 ? EXIT.ok : EXIT.failed;
}

async function bodyOf(data: string): Promise<string> {
  if (!data.startsWith("@")) return data;
  const file = data.slice(1);
  try {
    return file === "-"
      ? await new Response(Deno.stdin.readable).text()
      : await Deno.readTextFile(file);
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new TcError(`Cannot read ${file}: ${reason}`, {
      code: "bad_file",
      source: "user",
      cause,
    });
  }
}

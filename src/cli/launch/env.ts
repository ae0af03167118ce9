/**
 * `tc env`: prints the environment variables that route a client through the
 * pool (docs/clients.md).
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { planExports } from "../../claude/launch_variables.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { storedAccounts } from "../accounts/account_work.ts";
import { startInBackground } from "../../server/background_server.ts";
import { clientSettings, launchFacts, presentVariables } from "./launching.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import {
  evaluated,
  knownShell,
  type PersonShell,
  setVariable,
  SHELLS,
} from "../../shell_words.ts";

/** Clients that read their settings from variables. */
const ENV_CLIENTS = [
  "claude",
  "sdk",
  "agent-sdk",
  "ai-sdk",
  "langchain",
  "openai",
] as const;

export type EnvClient = typeof ENV_CLIENTS[number];

/** Returns what `client` reads; `origin` is the server's, without a path. */
export function clientVariables(
  client: Exclude<EnvClient, "claude">,
  { origin, key }: { readonly origin: string; readonly key: string },
): Readonly<Record<string, string>> {
  switch (client) {
    case "sdk":
    case "langchain":
      return { ANTHROPIC_BASE_URL: origin, ANTHROPIC_API_KEY: key };
    case "agent-sdk":
      return { ANTHROPIC_BASE_URL: origin, ANTHROPIC_AUTH_TOKEN: key };
    case "ai-sdk":
      return { ANTHROPIC_BASE_URL: `${origin}/v1`, ANTHROPIC_API_KEY: key };
    case "openai":
      return { OPENAI_BASE_URL: `${origin}/v1`, OPENAI_API_KEY: key };
  }
}

const TEXT: CommandText = {
  name: "env",
  group: "start",
  summary:
    "Print the environment variables that route Claude Code through the pool",
  examples: [
    (person) => evaluated(person, "tc env"),
    "tc env --shell fish",
    "tc env --for sdk",
  ],
  schema: "tc.env/v1",
};

export function registerEnv(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--shell <name>", `One of ${SHELLS.join(", ")}`)
    .option("--for <client>", `One of ${ENV_CLIENTS.join(", ")}`)
    .option("--json", "Print one JSON object")
    .action(registry.run(async (options) => {
      const shell = new Shell(registry, options);
      const person = shellFor(shell, options.shell);
      const client = envClient(options.for ?? "claude");
      const { variables, contradictions } = client === "claude"
        ? planExports(
          await launchFacts(shell, { account: null, made: "token" }),
          presentVariables(shell),
          clientSettings(shell, []),
        )
        : {
          variables: clientVariables(client, {
            origin: shell.origin,
            key: shell.key.reveal(),
          }),
          contradictions: [],
        };
      const { output } = shell;
      await startIfNone(shell);
      for (const contradiction of contradictions) {
        output.say(
          `warning: ${contradiction}: Claude Code goes there; tc run overrides it`,
        );
      }
      if (output.isJson) output.json({ schema: "tc.env/v1", variables });
      else {
        for (const [key, value] of Object.entries(variables)) {
          output.line(statement(person, key, value));
        }
      }
      return EXIT.ok;
    }));
}

/**
 * Starts a server if none runs, because the variables point to it. With
 * `--json` or without accounts it only prints a message.
 */
async function startIfNone(shell: Shell): Promise<void> {
  if (await shell.isServing()) return;
  const { output, origin } = shell;
  const { accounts } = await storedAccounts(shell);
  if (output.isJson || accounts.length === 0) {
    output.say(
      accounts.length === 0
        ? `tc: no server runs on ${origin}, and there are no accounts: tc login`
        : `tc: no server runs on ${origin}: tc server starts it`,
    );
    return;
  }
  await startInBackground(shell);
  output.say(
    `tc: started a server in the background on ${origin} (tc stop ends it)`,
  );
}

/** Returns the client by its name. Throws UsageError for an unknown one. */
function envClient(wanted: string): EnvClient {
  const known = ENV_CLIENTS.find((name) => name === wanted);
  if (known !== undefined) return known;
  throw new UsageError(
    `Cannot write for ${wanted}: it must be one of ${ENV_CLIENTS.join(", ")}`,
  );
}

/** Returns the shell that the person asked for, or the one that they use. */
function shellFor(
  { person }: Shell,
  asked: string | undefined,
): PersonShell {
  if (asked === undefined) return person;
  const name = knownShell(asked);
  if (name !== null) return { ...person, name };
  throw new UsageError(
    `Cannot write for ${asked}: it must be one of ${SHELLS.join(", ")}`,
  );
}

/** Returns the line of one variable. Throws UsageError if there is none. */
function statement(
  shell: PersonShell,
  name: string,
  value: string | null,
): string {
  if (shell.name === "cmd" && value?.includes("\n")) {
    throw new UsageError(
      `Cannot write ${name} for cmd: its value has several lines`,
      "tc run starts Claude Code with it, and so does PowerShell with tc env",
    );
  }
  return setVariable(shell, name, value);
}

/**
 * The commands that start Claude Code and hold its accounts.
 *
 * @module
 */

import type { CommandText } from "./help/command_text.ts";

export const COMMANDS_OF_USE: readonly CommandText[] = [
  {
    name: "run",
    group: "start",
    summary: "Run Claude Code through the pool; starts the server if none runs",
    examples: [
      "tc run",
      "tc run --continue",
      "tc run --account work -p 'say hi'",
    ],
    schema: null,
  },
  {
    name: "server",
    group: "start",
    summary: "Run the proxy in the foreground",
    examples: ["tc server", "tc server --port 3460 --headless"],
    schema: null,
  },
  {
    name: "env",
    group: "start",
    summary: "Print the exports that lead Claude Code through the pool",
    examples: ['eval "$(tc env)"', "tc env --shell fish | source"],
    schema: "tc.env/v1",
  },
  {
    name: "demo",
    group: "start",
    summary: "Show the whole thing with accounts that do not exist",
    examples: ["tc demo", "tc demo --once"],
    schema: "tc.demo/v1",
  },
  {
    name: "login",
    group: "accounts",
    summary: "Add an account: a subscription in the browser, or an API key",
    examples: [
      "tc login",
      "tc login --api --name work-key",
      "tc login --api --api-key-stdin <key.txt",
    ],
    schema: "tc.login/v1",
  },
  {
    name: "import",
    group: "accounts",
    summary: "Take over credentials of Claude Code or of another pool tool",
    examples: [
      "tc import",
      "tc import --from ~/.config/teamclaude.json --dry-run",
    ],
    schema: "tc.import/v1",
  },
  {
    name: "accounts",
    group: "accounts",
    summary: "List the accounts",
    examples: ["tc accounts", "tc accounts -v", "tc accounts --json"],
    schema: "tc.accounts/v1",
  },
  {
    name: "remove",
    group: "accounts",
    summary: "Remove an account and its credential",
    examples: ["tc remove spare", "tc remove spare --yes"],
    schema: "tc.remove/v1",
  },
  {
    name: "rename",
    group: "accounts",
    summary: "Give an account another name",
    examples: ["tc rename spare home"],
    schema: "tc.rename/v1",
  },
  {
    name: "enable",
    group: "accounts",
    summary: "Let an account take requests again",
    examples: ["tc enable spare"],
    schema: "tc.enable/v1",
  },
  {
    name: "disable",
    group: "accounts",
    summary: "Take an account out of use and keep it",
    examples: ["tc disable spare"],
    schema: "tc.disable/v1",
  },
  {
    name: "priority",
    group: "accounts",
    summary: "Say which accounts go first, and how far each may be used",
    examples: [
      "tc priority work 1",
      "tc priority home --max-requests 4",
      "tc priority home --max-used 80",
    ],
    schema: "tc.priority/v1",
  },
  {
    name: "pin",
    group: "accounts",
    summary: "Send all work to one account while it can serve",
    examples: ["tc pin work", "tc pin --clear", "tc switch home"],
    schema: "tc.pin/v1",
  },
];

/**
 * The command table: what each command does, with examples. Help, man page,
 * completions and the README are made from it.
 *
 * @module
 */

export type CommandGroup = "start" | "accounts" | "look" | "server" | "more";

export interface CommandText {
  readonly name: string;
  readonly group: CommandGroup;
  /** One line, no full stop. */
  readonly summary: string;
  readonly examples: readonly string[];
  /** Schema of the `--json` answer, or null where it prints no data. */
  readonly schema: string | null;
}

export const COMMANDS: readonly CommandText[] = [
  {
    name: "run",
    group: "start",
    summary: "Run Claude Code through the pool; starts the server if none runs",
    examples: [
      "tc run",
      "tc run -- --continue",
      "tc run --account work -- -p 'say hi'",
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
  {
    name: "status",
    group: "look",
    summary: "Show the pool, its accounts and what goes on",
    examples: ["tc status", "tc status --json"],
    schema: "tc.status/v1",
  },
  {
    name: "watch",
    group: "look",
    summary: "Show the live view of a running server",
    examples: [
      "tc watch",
      "tc watch --plain --every 10",
      "tc watch >>requests.log",
    ],
    schema: null,
  },
  {
    name: "explain",
    group: "look",
    summary: "Tell where a session's next request goes, and why",
    examples: ["tc explain", "tc explain 5f2c91", "tc explain 5f2c91 --json"],
    schema: "tc.explain/v1",
  },
  {
    name: "capacity",
    group: "look",
    summary: "Tell whether there is room: exit 0 green, 10 yellow, 20 red",
    examples: ["tc capacity", "tc capacity --json", "tc capacity || sleep 60"],
    schema: "tc.capacity/v1",
  },
  {
    name: "simulate",
    group: "look",
    summary: "Replay your own history, or made-up work, under other policies",
    examples: [
      "tc simulate",
      "tc simulate --accounts +5x",
      "tc simulate --workload heavy --seeds 1-4",
      "tc simulate --policy price,pace --json",
    ],
    schema: "tc.simulate/v1",
  },
  {
    name: "report",
    group: "look",
    summary: "Show what was spent: tokens, cache and cost, from the ledger",
    examples: [
      "tc report",
      "tc report week",
      "tc report account --since 7d",
      "tc report session --since today --json",
      "tc report issue",
      "tc report model --since 2026-11-01 --until 2026-11-15",
    ],
    schema: "tc.report/v1",
  },
  {
    name: "api",
    group: "look",
    summary: "Make one API call with an account's credential",
    examples: [
      "tc api /v1/models",
      "tc api /v1/messages/count_tokens --data @body.json",
    ],
    schema: null,
  },
  {
    name: "reload",
    group: "server",
    summary: "Let the running server read settings and accounts again",
    examples: ["tc reload"],
    schema: "tc.reload/v1",
  },
  {
    name: "swap",
    group: "more",
    summary: "Put the best login into Claude Code itself, without the proxy",
    examples: [
      "tc swap auto",
      "tc swap use work",
      "tc swap auto --if-needed --launch -- --continue",
      "tc swap key add --id console <key.txt",
    ],
    schema: "tc.swap/v1",
  },
  {
    name: "profile",
    group: "more",
    summary: "A config folder for each account: two terminals, two accounts",
    examples: [
      "tc profile add work",
      "tc run --profile work -- --continue",
      'eval "$(tc profile shell bash)"',
    ],
    schema: "tc.profiles/v1",
  },
  {
    name: "plugin",
    group: "more",
    summary: "Install or remove the Claude Code plugin and its hooks",
    examples: ["tc plugin install", "tc plugin uninstall"],
    schema: null,
  },
  {
    name: "statusline",
    group: "look",
    summary: "Print one line for Claude Code's status bar, or install it there",
    examples: ["tc statusline install", "tc statusline uninstall"],
    schema: "tc.statusline/v1",
  },
  {
    name: "restart",
    group: "server",
    summary: "Replace the running server without dropping a request",
    examples: ["tc restart"],
    schema: "tc.restart/v1",
  },
  {
    name: "stop",
    group: "server",
    summary: "Let the running server finish its requests and end",
    examples: ["tc stop"],
    schema: "tc.stop/v1",
  },
  {
    name: "service",
    group: "server",
    summary: "Run tc under systemd, launchd or the Windows task scheduler",
    examples: [
      "tc service install",
      "tc service status",
      "tc service print",
      "tc service uninstall --dry-run",
    ],
    schema: "tc.service/v1",
  },
  {
    name: "doctor",
    group: "more",
    summary: "Find what is wrong and say what mends it: exit 0, 1 or 2",
    examples: ["tc doctor", "tc doctor --fix", "tc doctor --permissions"],
    schema: "tc.doctor/v1",
  },
  {
    name: "config",
    group: "more",
    summary: "Show and change the settings, and say where each comes from",
    examples: [
      "tc config show --origin",
      "tc config get proxy.port",
      "tc config set proxy.port 3460",
      "tc config unset proxy.port",
      "tc config path",
    ],
    schema: "tc.config/v1",
  },
  {
    name: "bugreport",
    group: "more",
    summary: "Write a report for an issue, without secrets, listed first",
    examples: ["tc bugreport", "tc bugreport --output report.txt --yes"],
    schema: "tc.bugreport/v1",
  },
  {
    name: "upgrade",
    group: "more",
    summary: "Replace this program by the newest release, checked",
    examples: ["tc upgrade --check", "tc upgrade"],
    schema: "tc.upgrade/v1",
  },
  {
    name: "completion",
    group: "more",
    summary: "Print the completion script of a shell",
    examples: [
      'eval "$(tc completion bash)"',
      "tc completion fish | source",
    ],
    schema: null,
  },
  {
    name: "man",
    group: "more",
    summary: "Print the manual page",
    examples: ["tc man | man -l -", "tc man >~/.local/share/man/man1/tc.1"],
    schema: null,
  },
  {
    name: "version",
    group: "more",
    summary: "Print the version",
    examples: ["tc version", "tc version --json"],
    schema: "tc.version/v1",
  },
];

/** The row of `name`; throws where a command has none. */
export function commandText(name: string): CommandText {
  const text = COMMANDS.find((candidate) => candidate.name === name);
  if (text === undefined) {
    throw new RangeError(`Cannot find ${name} in the command table`);
  }
  return text;
}

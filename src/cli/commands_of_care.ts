/**
 * The commands that look at the pool, run the server and care for tc itself.
 *
 * @module
 */

import type { CommandText } from "./help/command_text.ts";

export const COMMANDS_OF_CARE: readonly CommandText[] = [
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
    name: "prices",
    group: "look",
    summary: "List the prices that costs are counted by, or load newer ones",
    examples: [
      "tc prices",
      "tc prices update",
      "tc prices update --from model_prices.json --dry-run",
    ],
    schema: "tc.prices/v1",
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
      "tc profile add ada@example.com",
      "tc profile add work --account ada@example.com",
      "tc run --profile work --continue",
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
    summary: "Replace the running server; its answers are finished first",
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

/**
 * The generated pages of `docs/`: settings, commands, the admin API, and the
 * JSON schema of the config. `deno task docs` writes them.
 */

import { configSchema } from "../../src/config/json_schema.ts";
import { isFixed, settingRows } from "../../src/config/settings.ts";
import { CONTROL } from "../../src/control/protocol.ts";
import { EXIT, EXIT_WORDS } from "../../src/errors.ts";
import {
  COMMAND_TREE,
  type CommandNode,
} from "../../src/cli/help/command_tree.ts";
import type { CommandText } from "../../src/cli/registry.ts";
import { openApi } from "./openapi.ts";
import { ROOT } from "../fixtures/paths.ts";
import { hintText, MANUAL_SHELL } from "../../src/shell_words.ts";

const MADE =
  "<!-- Made by `deno task docs`: change the code, not this page. -->";

/** Returns every generated file by its path. */
export async function references(
  texts: ReadonlyMap<string, CommandText>,
): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["docs/settings.md", settingsPage()],
    ["docs/cli.md", commandsPage(texts)],
    ["docs/http-api.md", apiPage()],
    ["docs/openapi.json", `${JSON.stringify(await openApi(API), null, 2)}\n`],
    ["docs/tc.schema.json", `${JSON.stringify(configSchema(), null, 2)}\n`],
  ]);
}

function settingsPage(): string {
  const sections = Map.groupBy(
    settingRows(),
    ({ key }) => key.includes(".") ? key.split(".")[0] ?? "" : "",
  );
  return page([
    MADE,
    "# Settings",
    "Settings are in `config.json` (`tc config path` prints where). Edit the file " +
    "by hand, or use `tc config set KEY VALUE`; comments, order and unknown keys " +
    "stay. A flag wins over a variable, a variable over the file, the file over " +
    "the default; `tc config show --origin` says which one won. Editors complete " +
    "and check the file with [tc.schema.json](tc.schema.json).",
    "```sh run\n" +
    "tc config set usage.pollSeconds 900\n" +
    "tc config get usage.pollSeconds\n" +
    "tc config show --origin\n" +
    "tc config unset usage.pollSeconds\n" +
    "tc config schema >tc.schema.json\n" +
    "```",
    "`tc config show` prints those that people change, each with its unit and " +
    "range; `--all` prints every one.",
    "A running server takes changes over at once. Settings marked with **R** take " +
    "effect after `tc restart`.",
    ...[...sections].flatMap(([name, rows]) => [
      `## ${name === "" ? "Top level" : `\`${name}\``}`,
      table(
        ["Setting", "Default", "Allowed", "What it does"],
        rows.map((row) => [
          `\`${row.key}\`${
            isFixed(row.key) ? " **R**" : ""
          }<br>\`${row.variable}\``,
          `${code(row.fallback)}${row.unit === null ? "" : ` ${row.unit}`}`,
          row.allowed,
          `${row.help}.`,
        ]),
      ),
    ]),
    "## `accounts`",
    "One row per account; `tc rename`, `tc priority`, `tc enable` and `tc disable` " +
    "write it. Credentials are never here: a token that is found is moved into " +
    "the vault by `tc import`.",
  ]);
}

function commandsPage(texts: ReadonlyMap<string, CommandText>): string {
  const commands = COMMAND_TREE.commands.filter(({ name }) => name !== "help");
  return page([
    MADE,
    "# Commands",
    "`tc` alone prints the state of the pool and the next step. Every command that " +
    "prints data takes `--json`; the first key of the object, `schema`, names its " +
    "shape and version. `tc help COMMAND` prints one command's help.",
    "## Exit codes",
    table(
      ["Code", "Meaning"],
      Object.entries(EXIT_WORDS).map(([name, words]) => [
        `\`${EXIT[name as keyof typeof EXIT]}\``,
        `${words}.`,
      ]),
    ),
    ...commands.flatMap((command) => [
      `## \`tc ${command.name}\``,
      `${command.summary}.`,
      usage(`tc ${command.name}`, command, texts.get(command.name)),
      ...command.commands.filter(({ name }) => name !== "help").flatMap((
        child,
      ) => [
        `### \`tc ${command.name} ${child.name}\``,
        `${child.summary}.`,
        usage(`tc ${command.name} ${child.name}`, child, undefined),
      ]),
    ]),
  ]);
}

function usage(
  words: string,
  { options, arguments: given, commands, aliases }: CommandNode,
  text: CommandText | undefined,
): string {
  const rows = [
    ...given.map(({ name, summary, isVariadic }) => [
      `\`${name}${isVariadic ? "…" : ""}\``,
      `${summary}.`,
    ]),
    ...options.filter(({ flags }) => !flags.includes("--help"))
      .map(({ flags, summary }) => [`\`${flags}\``, `${summary}.`]),
  ];
  const isGroup = commands.some(({ name }) => name !== "help");
  return [
    ...(aliases.length === 0
      ? []
      : [`Also called ${
        aliases.map((alias) => `\`${words.replace(/\S+$/, alias)}\``).join(", ")
      }.`]),
    ...(isGroup && rows.length === 0 ? [] : rows.length === 0 ? [] : [
      table(["Argument or option", "What it does"], rows),
    ]),
    ...(text === undefined || text.examples.length === 0 ? [] : [
      "```text\n" + text.examples.map((example) =>
        hintText(example, MANUAL_SHELL)
      ).join("\n") + "\n```",
    ]),
    ...(text?.schema ? [`\`--json\` prints \`${text.schema}\`.`] : []),
  ].join("\n\n") || `\`${words}\` takes no options.`;
}

/** One route of the admin API. */
export interface ApiRoute {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly does: string;
  /** What the query or the JSON body may hold; null for nothing. */
  readonly takes: string | null;
  /** The interface of the answer, or its schema name. */
  readonly answers: string;
}

const ONE_ACCOUNT = `${CONTROL.accounts}/:account`;

/** Every route; a test holds it against the router. */
export const API: readonly ApiRoute[] = [
  {
    method: "GET",
    path: CONTROL.health,
    does: "Says that the server is up, and which build it is.",
    takes: null,
    answers: "HealthView",
  },
  {
    method: "GET",
    path: CONTROL.capacity,
    does: "Says whether the pool has room for another agent.",
    takes: null,
    answers: "CapacityView",
  },
  {
    method: "GET",
    path: CONTROL.capacityAlias,
    does: "The same under the name that teamclaude's scripts use.",
    takes: null,
    answers: "CapacityView",
  },
  {
    method: "GET",
    path: CONTROL.status,
    does: "Returns everything that the Deck shows.",
    takes: null,
    answers: "StatusView",
  },
  {
    method: "GET",
    path: CONTROL.glance,
    does: "Returns the pool as one session sees it, for a status line.",
    takes: "query `session`",
    answers: "GlanceView",
  },
  {
    method: "GET",
    path: CONTROL.events,
    does: "Streams one server-sent event per change, as JSON.",
    takes: null,
    answers: "text/event-stream",
  },
  {
    method: "POST",
    path: CONTROL.link,
    does:
      "Returns a link to the page that lets one browser in, once and for a minute.",
    takes: "`{}`",
    answers: "LinkView",
  },
  {
    method: "GET",
    path: CONTROL.page,
    does:
      "The page. It needs a browser that was let in by a link (`tc ui`), or the key.",
    takes: null,
    answers: "text/html",
  },
  {
    method: "GET",
    path: `${CONTROL.page}/:name`,
    does: "A file of the page: `page.js`, `page.css`.",
    takes: null,
    answers: "its type",
  },
  {
    method: "GET",
    path: CONTROL.report,
    does: "Returns what was spent in the last days, from the ledger.",
    takes:
      "query `by` (day, week, month, session, model, account, project, machine), `days` (14), `tz` (UTC), `project` (a name or folder), `session` (the start of an id), `machine` (of a shared pool: its name, or `this`), `split` (model, account or project: parts of each row)",
    answers: "ReportView",
  },
  {
    method: "GET",
    path: CONTROL.turns,
    does: "Returns the requests of a session, the latest 500 of them.",
    takes: "query `session` (its id), `days` (14)",
    answers: "TurnsView",
  },
  {
    method: "GET",
    path: CONTROL.quota,
    does: "Returns how full each account's windows were in the last days.",
    takes: "query `days` (14, at most 60)",
    answers: "QuotaView",
  },
  {
    method: "GET",
    path: CONTROL.simulate,
    does: "Returns how the last replay of the history stands.",
    takes: null,
    answers: "SimulationView",
  },
  {
    method: "POST",
    path: CONTROL.simulate,
    does:
      "Starts a replay of the history in a process of its own, in place of one that runs.",
    takes:
      "any of `days` (14), `policies`, `accounts` (`+5x`, `-work`), `ttl` (`5m`, `1h`)",
    answers: "SimulationView",
  },
  {
    method: "DELETE",
    path: CONTROL.simulate,
    does: "Stops it.",
    takes: null,
    answers: "SimulationView",
  },
  {
    method: "GET",
    path: CONTROL.metrics,
    does: "Returns [metrics](metrics.md) in the Prometheus text format.",
    takes: null,
    answers: "text/plain",
  },
  {
    method: "GET",
    path: CONTROL.curves,
    does:
      "Returns tokens, cache hits and windows of the last five hours, by minute.",
    takes: null,
    answers: "CurvesView",
  },
  {
    method: "GET",
    path: CONTROL.watch,
    does:
      "Streams the status, then once a second at most what changed of it, as server-sent events.",
    takes: null,
    answers: "WatchMessage",
  },
  {
    method: "GET",
    path: CONTROL.explain,
    does: "Returns what routing considers for a session or request.",
    takes: "query `of`: a session or request id; the latest without it",
    answers: "ExplainView",
  },
  {
    method: "GET",
    path: CONTROL.accounts,
    does: "Lists the accounts.",
    takes: null,
    answers: "AccountsView",
  },
  {
    method: "PATCH",
    path: ONE_ACCOUNT,
    does: "Changes what a person set about the account.",
    takes:
      "any of `name`, `enabled`, `priority`, `leasesMax` (null: no limit), `capUtilization` (null: no limit), `maxCost` (null: no limit), `planPrice` (null: none is stated)",
    answers: "AccountsView",
  },
  {
    method: "DELETE",
    path: ONE_ACCOUNT,
    does: "Removes the account. Refused while it serves requests.",
    takes: "`{}`, or `force`: true to remove it all the same",
    answers: "AccountsView",
  },
  {
    method: "PUT",
    path: CONTROL.pin,
    does: "Pins an account, or unpins.",
    takes: "`account`: name or id; null unpins",
    answers: "StatusView",
  },
  {
    method: "PUT",
    path: CONTROL.policy,
    does: "Changes the routing policy of the running server.",
    takes: "`policy`",
    answers: "StatusView",
  },
  {
    method: "POST",
    path: CONTROL.reload,
    does: "Reads settings and accounts again.",
    takes: null,
    answers: "tc.reload/v1",
  },
  {
    method: "POST",
    path: CONTROL.restart,
    does:
      "Starts the next server and hands over to it without losing a request.",
    takes: null,
    answers: "tc.restart/v1",
  },
  {
    method: "POST",
    path: CONTROL.stop,
    does: "Stops the server after its open responses.",
    takes: null,
    answers: "tc.stop/v1",
  },
  {
    method: "POST",
    path: CONTROL.call,
    does: "Makes one API call with an account's credential.",
    takes:
      "`path` (begins with one `/`), `method`, `data` (a text), `account` or null",
    answers: "ApiCallView",
  },
  {
    method: "POST",
    path: CONTROL.hook,
    does: "Reports that a hook of Claude Code has run.",
    takes: "`hook`, and `session`, `source`, `error`, `trigger` where known",
    answers: "tc.hook/v1",
  },
];

const SHAPES = [
  "HealthView",
  "CapacityView",
  "CapacityAccountView",
  "StatusView",
  "AccountView",
  "WindowView",
  "SessionView",
  "UsageView",
  "PayingView",
  "RequestView",
  "ActivityView",
  "ForecastView",
  "NoticeView",
  "TimeView",
  "BetweenView",
  "GlanceView",
  "PoolGlance",
  "ExplainView",
  "AccountsView",
  "AccountFactsView",
  "SimulationView",
  "SimulatedView",
  "SimulatedPolicyView",
  "TurnsView",
  "TurnView",
  "QuotaView",
  "QuotaCurveView",
  "QuotaPoint",
  "QuotaMoveView",
  "ApiCallView",
  "ErrorView",
];

function apiPage(): string {
  return page([
    MADE,
    "# Admin API",
    "The server answers these paths itself; every other path goes to the upstream. " +
    "Each request needs the local key (`x-tc-key`, `x-api-key`, or " +
    "`Authorization: Bearer`); Host, Origin and Sec-Fetch-Site are checked first. " +
    "A body is a JSON object with `content-type: application/json`. Times are " +
    "objects with `iso` and `ms`. [openapi.json](openapi.json) describes the same " +
    "for programs (OpenAPI 3.1).",
    "```sh\n" +
    'eval "$(tc env)"\n' +
    'curl -H "x-tc-key: …" http://127.0.0.1:3456/tc/v1/status\n' +
    "```",
    table(
      ["Request", "What it does", "Takes", "Answers"],
      API.map(({ method, path, does, takes, answers }) => [
        `\`${method} ${path}\``,
        does,
        takes ?? "",
        SHAPES.includes(answers)
          ? `[\`${answers}\`](#${answers.toLowerCase()})`
          : `\`${answers}\``,
      ]),
    ),
    "An error has its HTTP status (400: the request, 404: the path, 502: the " +
    "upstream or this machine, 500: a bug) and the body `ErrorView`.",
    "# Shapes",
    ...SHAPES.map((name) =>
      `## ${name}\n\n\`\`\`ts\n${declarationOf(name)}\n\`\`\``
    ),
  ]);
}

const SHAPE_FILES = [
  "src/control/status_view.ts",
  "src/control/account_views.ts",
  "src/control/protocol.ts",
  "src/control/status_patch.ts",
  "src/control/explain_view.ts",
  "src/control/routes.ts",
  "src/control/words.ts",
  "src/control/history/quota_view.ts",
  "src/control/history/turns_view.ts",
  "src/control/history/simulation_view.ts",
  "src/core/quota/glance.ts",
];

/** Returns the source of an interface or type, from wherever it is declared. */
function declarationOf(name: string): string {
  const shape = new RegExp(
    `^(?:export )?(?:interface ${name}\\b[^{]*\\{[\\s\\S]*?^\\}|type ${name} =[\\s\\S]*?;$)`,
    "m",
  );
  for (const file of SHAPE_FILES) {
    const found = shape.exec(source(file))?.[0];
    if (found !== undefined) return found.replace(/^export /, "");
  }
  throw new Error(`No declaration of ${name} in ${SHAPE_FILES.join(", ")}`);
}

function source(file: string): string {
  try {
    return Deno.readTextFileSync(`${ROOT}${file}`);
  } catch {
    return "";
  }
}

function code(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text === "" ? "–" : `\`${text}\``;
}

function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join(
    "\n",
  );
}

function page(parts: readonly string[]): string {
  return `${parts.join("\n\n")}\n`;
}

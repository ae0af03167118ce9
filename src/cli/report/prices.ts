/**
 * `tc prices`: prints the prices used to compute costs, and loads newer ones.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { trustingClient } from "../../system/authorities.ts";
import { priceBook } from "../../config/config.ts";
import { systemClock } from "../../system/clock.ts";
import { USER_AGENT } from "../../release/version.ts";
import { CONTROL } from "../../control/protocol.ts";
import { inert } from "../../core/plain_text.ts";
import {
  costNanodollars,
  LIST_PRICES,
  type PriceBook,
  type PriceRow,
  type Rates,
  tablesOf,
} from "../../core/pricing.ts";
import { EXIT, reasonOf, TcError } from "../../errors.ts";
import { databasePath, openDatabase } from "../../store/ledger/database.ts";
import { reprice } from "../../store/ledger/ledger_prune.ts";
import {
  PRICE_BYTES_MAX,
  priceFile,
  priceTableIn,
  writePriceTable,
} from "../../store/ledger/price_file.ts";
import { isNotRunning } from "../accounts/account_work.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { cellLines } from "../table.ts";
import { PLAN_PRICES } from "../../core/plans.ts";
import { planListLines, planPrices } from "./plan_prices.ts";

const DOWNLOAD_MS = 30_000;

const TEXT: CommandText = {
  name: "prices",
  group: "look",
  summary: "List the prices used to compute costs, or load newer ones",
  examples: [
    "tc prices",
    "tc prices update",
    "tc prices update --from model_prices.json --dry-run",
    "tc prices plan",
    "tc prices plan work 150",
  ],
  schema: "tc.prices/v1",
};

export function registerPrices(program: Command, registry: Registry): void {
  const prices = addCommand(program, registry, TEXT)
    .option("--json", "Print one JSON object")
    .action(registry.run((options) => {
      return list(new Shell(registry, options));
    }));
  prices.command("update")
    .description("Load a newer list, and price requests that had no price")
    .option("--from <place>", "An address or a file; without it update.prices")
    .option("--dry-run", "Print what would change, and change nothing")
    .action(registry.run((options) => {
      return update(new Shell(registry, {}), options);
    }));
  prices.command("plan")
    .description("List what each account's plan costs, or state what you pay")
    .argument("[account]", "The account's name or id")
    .argument("[dollars]", "Dollars a month, or none: the list's price")
    .option("--json", "Print one JSON object")
    .action(registry.run((account, dollars, options) => {
      return planPrices(new Shell(registry, options), account, dollars);
    }));
}

/** A row with the source of its table. */
interface Listed extends PriceRow {
  readonly source: string;
}

/** Returns the prices that apply on `day`, in the order of the tables. */
function listed(book: PriceBook, day: string): readonly Listed[] {
  const found = new Map<string, Listed>();
  for (const { rows, source } of tablesOf(book)) {
    const ofTable = new Map<string, Listed>();
    for (const row of rows) {
      if (row.from !== null && row.from > day) continue;
      const known = ofTable.get(row.model);
      const isLater = (row.from ?? "") >= (known?.from ?? "");
      if (known === undefined || isLater) {
        ofTable.set(row.model, { ...row, source });
      }
    }
    for (const [model, row] of ofTable) {
      if (!found.has(model)) found.set(model, row);
    }
  }
  return [...found.values()];
}

function list(shell: Shell): number {
  const book = priceBook(shell.config);
  const rows = listed(book, today());
  const [first = LIST_PRICES] = tablesOf(book);
  const { output } = shell;
  if (output.isJson) {
    output.json({
      schema: "tc.prices/v1",
      asOf: first.asOf,
      source: first.source,
      rows,
      own: book.own,
      plans: PLAN_PRICES,
    });
    return EXIT.ok;
  }
  for (const { asOf, source } of tablesOf(book)) {
    output.line(`list prices of ${asOf}, ${inert(source)}`);
  }
  output.line("US dollars per million tokens");
  output.line();
  for (const line of priceLines(rows, output.width)) output.line(line);
  output.line();
  output.line(
    "fast mode 2 x, batches 0.5 x, inference_geo us 1.1 x, web search $10 per 1,000",
  );
  output.line();
  for (const line of planListLines()) output.line(line);
  output.line("tc prices plan   has each account's");
  const own = Object.entries(book.own);
  if (own.length === 0) return EXIT.ok;
  output.line();
  for (const [name, [input, out]] of own) {
    output.line(`your own: ${inert(name)}  input ${input}, output ${out}`);
  }
  return EXIT.ok;
}

/** How important each column is where there is little room. */
const LOOKS = [
  { cutTo: 10 },
  { isNumber: true },
  { isNumber: true },
  { isNumber: true, drop: 1 },
  { isNumber: true, drop: 2 },
  { isNumber: true, drop: 3 },
  { drop: 4 },
] as const;

function priceLines(
  rows: readonly Listed[],
  width: number,
): readonly string[] {
  const cells = rows.flatMap((row) => [
    [row.model, ...figures(row.rates), row.from ?? ""],
    ...(row.long === null ? [] : [[
      `  above ${row.long.aboveTokens / 1_000}k`,
      ...figures(row.long.rates),
      "",
    ]]),
  ]);
  const head = [
    "model",
    "input",
    "output",
    "read",
    "write 5m",
    "write 1h",
    "since",
  ];
  return cellLines([head, ...cells], LOOKS, width);
}

function figures(rates: Rates): readonly string[] {
  const { input, output, cacheRead, cacheWrite5m, cacheWrite1h } = rates;
  return [input, output, cacheRead, cacheWrite5m, cacheWrite1h]
    .map((figure) => String(Number(figure.toFixed(4))));
}

async function update(
  shell: Shell,
  { from, dryRun = false }: {
    readonly from?: string | undefined;
    readonly dryRun?: boolean | undefined;
  },
): Promise<number> {
  const source = from ?? shell.config.settings.update.prices;
  const table = priceTableIn(await textAt(source, shell), {
    source,
    asOf: today(),
  });
  const before = priceBook(shell.config);
  const book = { ...before, table };
  const { output } = shell;
  output.line(
    `${table.rows.length} prices of ${inert(source)}: ${
      differences(before, book)
    }`,
  );
  if (dryRun) return EXIT.ok;
  await writePriceTable(priceFile(shell.paths.secretsFolder), table);
  await takeOver(shell, book);
  return EXIT.ok;
}

/**
 * Returns the differences as `2 new (opus-6, haiku-6), 1 changed (sonnet-5-5)`.
 */
function differences(before: PriceBook, after: PriceBook): string {
  const old = new Map(
    listed(before, today()).map((row) => [row.model, pricesIn(row)]),
  );
  const now = listed(after, today());
  const fresh = now.filter(({ model }) => !old.has(model));
  const changed = now.filter((row) =>
    old.has(row.model) && old.get(row.model) !== pricesIn(row)
  );
  const parts = [
    ...fresh.length === 0 ? [] : [`${fresh.length} new (${names(fresh)})`],
    ...changed.length === 0
      ? []
      : [`${changed.length} changed (${names(changed)})`],
  ];
  return parts.length === 0 ? "nothing new" : parts.join(", ");
}

function pricesIn({ rates, long }: PriceRow): string {
  return JSON.stringify([figures(rates), long && figures(long.rates)]);
}

function names(rows: readonly PriceRow[]): string {
  return rows.map(({ model }) => model).join(", ");
}

/** Has the running server load the table, or else prices the ledger here. */
async function takeOver(shell: Shell, book: PriceBook): Promise<void> {
  try {
    await shell.client().send("POST", CONTROL.reload, {});
    shell.output.say("the running server uses them from now on");
    return;
  } catch (cause) {
    if (!isNotRunning(cause)) throw cause;
  }
  const priced = priceLedger(shell, book);
  if (priced > 0) {
    shell.output.say(`requests that had no price and have one now: ${priced}`);
  }
}

function priceLedger({ paths }: Shell, book: PriceBook): number {
  const path = databasePath(paths.stateFolder);
  try {
    Deno.statSync(path);
  } catch {
    // There is no ledger yet.
    return 0;
  }
  const database = openDatabase(path, "read_write");
  try {
    let sum = 0;
    for (let from: string | null = ""; from !== null;) {
      const { next, priced } = reprice(
        database,
        from,
        (usage, about) => costNanodollars(usage, about, book),
      );
      sum += priced;
      from = next;
    }
    return sum;
  } finally {
    database.close();
  }
}

/** Returns the text at an address or in a file. Throws TcError. */
async function textAt(place: string, shell: Shell): Promise<string> {
  if (!/^https?:\/\//i.test(place)) return await textOf(place);
  const url = URL.parse(place);
  const isLocal = url !== null &&
    ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  if (url === null || (url.protocol !== "https:" && !isLocal)) {
    throw unreadable(place, "it must be an https address");
  }
  using client = trustingClient(shell.authorities);
  try {
    const response = await fetch(url, {
      client,
      headers: { "user-agent": USER_AGENT },
      signal: AbortSignal.timeout(DOWNLOAD_MS),
    });
    if (!response.ok) {
      await response.body?.cancel();
      throw unreadable(place, `it answers ${response.status}`);
    }
    return await bounded(response, place);
  } catch (cause) {
    if (cause instanceof TcError) throw cause;
    throw unreadable(place, "it cannot be reached", cause);
  }
}

/** Returns the body, up to a limit: a price table is small. */
async function bounded(response: Response, place: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > PRICE_BYTES_MAX) throw unreadable(place, "it is too large");
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

async function textOf(file: string): Promise<string> {
  try {
    const { isFile, size } = await Deno.stat(file);
    if (!isFile) throw unreadable(file, "it is not a regular file");
    if (size > PRICE_BYTES_MAX) throw unreadable(file, "it is too large");
    return await Deno.readTextFile(file);
  } catch (cause) {
    if (cause instanceof TcError) throw cause;
    throw unreadable(file, reasonOf(cause), cause);
  }
}

function unreadable(place: string, reason: string, cause?: unknown): TcError {
  return new TcError(`Cannot take the prices of ${inert(place)}: ${reason}`, {
    code: "prices_unavailable",
    exitCode: EXIT.unavailable,
    hint: "Nothing was changed. tc prices update --from FILE   takes a file.",
    cause,
  });
}

function today(): string {
  return new Date(systemClock.now()).toISOString().slice(0, 10);
}

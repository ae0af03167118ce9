/**
 * Prints reports as comma-separated values (RFC 4180), for spreadsheets.
 *
 * @module
 */

import type {
  ModelPartView,
  ReportRowView,
  ReportView,
} from "./report_view.ts";

type Cell = string | number | null;

/** A row, or a part of it with its model. */
type CsvRow = ReportRowView & Partial<Pick<ModelPartView, "model">>;

const COLUMNS: readonly (readonly [
  title: string,
  of: (row: CsvRow, view: ReportView) => Cell,
])[] = [
  ["by", (_, { by }) => by],
  ["key", ({ key }) => key],
  ["label", ({ label }) => label],
  ["firstAt", ({ firstAt }) => firstAt.iso],
  ["lastAt", ({ lastAt }) => lastAt.iso],
  ["requests", ({ requests }) => requests],
  ["failed", ({ failed }) => failed],
  ["input", ({ input }) => input],
  ["cacheRead", ({ cacheRead }) => cacheRead],
  ["cacheWrite5m", ({ cacheWrite5m }) => cacheWrite5m],
  ["cacheWrite1h", ({ cacheWrite1h }) => cacheWrite1h],
  ["output", ({ output }) => output],
  ["hitRate", ({ hitRate }) => hitRate],
  ["coldRebuilds", ({ coldRebuilds }) => coldRebuilds],
  ["switches", ({ switches }) => switches],
  ["beforeTcRequests", ({ beforeTc }) => beforeTc?.requests ?? 0],
  ["notThroughTcRequests", ({ notThroughTc }) => notThroughTc?.requests ?? 0],
];

/** Left out with `--no-cost`. */
const MONEY: typeof COLUMNS = [
  ["costUsd", ({ costUsd }) => costUsd],
  ["paidUsd", ({ paidUsd }) => paidUsd],
  ["worthUsd", ({ worthUsd }) => worthUsd],
  ["unpriced", ({ unpriced }) => unpriced],
  ["planUsd", ({ planUsd = null }) => planUsd],
];

/** With `--breakdown`: empty in the row that is the sum of its models. */
const MODEL: typeof COLUMNS = [
  ["model", ({ model }) => model === undefined ? null : model ?? "(none)"],
];

/** Returns the lines of all reports under one heading; unknown is empty. */
export function csvLines(
  views: readonly ReportView[],
  { hasCost, hasModels = false }: {
    readonly hasCost: boolean;
    readonly hasModels?: boolean;
  },
): readonly string[] {
  const columns = [
    ...COLUMNS,
    ...hasCost ? MONEY : [],
    ...hasModels ? MODEL : [],
  ];
  return [
    columns.map(([title]) => title).join(","),
    ...views.flatMap((view) =>
      view.rows.flatMap((row): readonly CsvRow[] => [
        row,
        ...(row.models ?? []).map((part) => ({
          ...row,
          ...part,
          // A plan has no part by model.
          planUsd: null,
        })),
      ]).map((row) =>
        columns.map(([, of]) => cellText(of(row, view))).join(",")
      )
    ),
  ];
}

/** A spreadsheet would compute a text that begins with one of these. */
const FORMULA = /^[=+\-@\t\r]/;

function cellText(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "number") return String(cell);
  const text = FORMULA.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

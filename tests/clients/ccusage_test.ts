/** Our prices beside those of the real ccusage, and why some differ. */

import "../fixtures/clean_environment.ts";
import { ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { costNanodollars } from "../../src/core/pricing.ts";
import type { TokenUsage } from "../../src/core/usage.ts";
import { clientFolder } from "../fixtures/client_package.ts";
import { LIST_BOOK } from "../fixtures/list_book.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const MODELS = [
  "claude-fable-5-1",
  "claude-fable-5",
  "claude-opus-4-8",
  "claude-opus-4-1-20250805",
  "claude-sonnet-5",
  "claude-sonnet-4-5-20250929",
  "claude-haiku-4-5-20251001",
  "claude-3-5-haiku-20241022",
  "claude-opus-5-5",
  "claude-sonnet-5-5",
  "claude-haiku-5-5",
] as const;

/** Why ccusage and tc differ on a model, with what ccusage says. */
const DIFFERENCES: Readonly<
  Record<string, (ours: number, parts: readonly TokenUsage[]) => number>
> = {
  // Its table is older than these models, and unknown counts as free there.
  "claude-opus-5-5": () => 0,
  "claude-sonnet-5-5": () => 0,
  "claude-haiku-5-5": () => 0,
  // Above 200k tokens the provider charges the whole request at the long rate.
  // ccusage charges it for the part above, and each kind of token by itself.
  "claude-sonnet-4-5-20250929": (_ours, parts) =>
    parts.reduce((sum, part) => {
      const above = Math.max(0, part.cacheRead - 200_000);
      return sum + (part.input * 3 + part.output * 15 +
            part.cacheWrite5m * 3.75 + part.cacheWrite1h * 6 +
            (part.cacheRead - above) * 0.3 + above * 0.6) / 1e6;
    }, 0),
};

const SMALL: TokenUsage = {
  input: 1_000,
  cacheRead: 50_000,
  cacheWrite5m: 1_000,
  cacheWrite1h: 2_000,
  output: 700,
};
const LARGE: TokenUsage = { ...SMALL, cacheRead: 250_000 };

const DAY = "2026-11-10";

function line(model: string, usage: TokenUsage, id: string): string {
  return JSON.stringify({
    type: "assistant",
    timestamp: `${DAY}T12:00:00.000Z`,
    sessionId: "s1",
    version: "2.1.332",
    requestId: `req_${id}`,
    message: {
      id: `msg_${id}`,
      role: "assistant",
      model,
      usage: {
        input_tokens: usage.input,
        cache_read_input_tokens: usage.cacheRead,
        cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
        cache_creation: {
          ephemeral_5m_input_tokens: usage.cacheWrite5m,
          ephemeral_1h_input_tokens: usage.cacheWrite1h,
        },
        output_tokens: usage.output,
      },
    },
  });
}

interface Breakdown {
  readonly modelName: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheCreationTokens: number;
  readonly cacheReadTokens: number;
  readonly cost: number;
}

Deno.test("the same responses cost what ccusage says, except where the provider's list says otherwise", async () => {
  const folder = await clientFolder("ccusage");
  await using home = new TempFolder();
  const claude = join(home.path, ".claude");
  const project = join(claude, "projects", "-tmp-x");
  await Deno.mkdir(project, { recursive: true });
  const lines = MODELS.flatMap((model) => [
    line(model, SMALL, `${model}-1`),
    line(model, LARGE, `${model}-2`),
  ]);
  await Deno.writeTextFile(join(project, "s1.jsonl"), `${lines.join("\n")}\n`);
  const { stdout, stderr } = await new Deno.Command(
    join(folder, "node_modules", ".bin", "ccusage"),
    {
      args: [
        ...["daily", "--json", "--offline", "--breakdown"],
        ...["--mode", "calculate", "--timezone", "UTC"],
      ],
      env: { HOME: home.path, CLAUDE_CONFIG_DIR: claude },
      stdin: "null",
    },
  ).output();
  const text = new TextDecoder().decode(stdout);
  ok(text.startsWith("{"), new TextDecoder().decode(stderr));
  const { daily } = JSON.parse(text) as {
    daily: { modelBreakdowns: Breakdown[] }[];
  };
  const found = new Map(
    daily.flatMap(({ modelBreakdowns }) => modelBreakdowns)
      .map((one) => [one.modelName, one] as const),
  );
  for (const model of MODELS) {
    const theirs = found.get(model);
    ok(theirs !== undefined, model);
    strictEqual(theirs.inputTokens, 2_000, model);
    strictEqual(theirs.outputTokens, 1_400, model);
    strictEqual(theirs.cacheCreationTokens, 6_000, model);
    strictEqual(theirs.cacheReadTokens, 300_000, model);
    const at = Date.parse(`${DAY}T12:00:00Z`);
    const parts = [SMALL, LARGE];
    const ours = parts.reduce(
      (sum, usage) =>
        sum + (costNanodollars(usage, { model, at }, LIST_BOOK) ?? NaN),
      0,
    ) / 1e9;
    const expected = DIFFERENCES[model]?.(ours, parts) ?? ours;
    ok(
      Math.abs(theirs.cost - expected) < 1e-9,
      `${model}: ccusage ${theirs.cost}, expected ${expected}, ours ${ours}`,
    );
  }
});

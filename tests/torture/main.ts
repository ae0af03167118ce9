/**
 * `deno task torture:logins`: 200 rounds, or `--rounds N`, with `--seed N`.
 * Fails where a login, a family or a token was lost.
 */

import { parseArgs } from "node:util";
import { tortureLogins, tortureText } from "./logins.ts";

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      rounds: { type: "string", default: "200" },
      seed: { type: "string", default: "1" },
    },
  });
  const result = await tortureLogins({
    rounds: Number(values.rounds),
    seed: Number(values.seed),
    renewalMs: [100, 3_000],
    onRound: print,
  });
  print(tortureText(result));
  const { familiesLost, loginsLost, spentTwice } = result;
  return familiesLost + loginsLost + spentTwice === 0;
}

if (import.meta.main) Deno.exit(await main() ? 0 : 1);

/** forecastLine(): why there is no pace, beside what was used. */

import { strictEqual } from "node:assert/strict";
import { forecastLine } from "../../src/cli/status/status_text.ts";
import type { AccountView } from "../../src/control/protocol.ts";
import { payingSumText } from "../../src/control/words.ts";
import { account, poolStatus } from "../deck/scene.ts";

function used(
  kind: "subscription" | "api_key",
  requests1h: number,
): AccountView {
  const plain = account(kind);
  return { ...plain, kind, recent: { ...plain.recent, requests1h } };
}

function line(...accounts: readonly AccountView[]): string {
  const view = poolStatus({ accounts });
  const verdict = { ...view.verdict, color: "green" } as const;
  const forecast = { ...view.forecast, tokensPerHour: 0 };
  return forecastLine({ ...view, verdict, forecast });
}

Deno.test("a pool of keys has no forecast, however much it is used", () => {
  strictEqual(
    line(used("api_key", 6)),
    "forecast: none: API keys pay by token, no window runs out",
  );
});

Deno.test("work of keys is not called nothing where plans rest", () => {
  const words = "forecast: no plan was used in the last hour, ";
  strictEqual(
    line(used("api_key", 6), used("subscription", 0)),
    `${words}only what pays by token`,
  );
  strictEqual(
    line(used("api_key", 0), used("subscription", 0)),
    "forecast: nothing was used in the last hour",
  );
  strictEqual(
    line(used("api_key", 6), used("subscription", 2)),
    "forecast: no tokens of a plan that serves were used in the last hour",
  );
});

Deno.test("a forecast says its pace, then what is known at it, and what is not", () => {
  const { verdict, ...view } = poolStatus({ accounts: [account("work")] });
  const words = (forecast: Partial<typeof view.forecast>) =>
    forecastLine({
      ...view,
      verdict: { ...verdict, color: "green" },
      forecast: {
        ...view.forecast,
        tokensPerHour: 58_000,
        lastsUntil: null,
        lastsBetween: null,
        isGuess: false,
        ...forecast,
      },
    });
  const pace = "forecast: at 58k quota tokens an hour it";
  strictEqual(words({}), `${pace} lasts a week or more`);
  strictEqual(
    words({ isGuess: true }),
    `${pace} probably lasts a week or more, uncertain: ` +
      "plan sizes are not known yet",
  );
  strictEqual(
    words({ isGuess: true, lastsUntil: view.at }),
    `${pace} may run out today, uncertain: plan sizes are not known yet`,
  );
});

Deno.test("what was paid stays in the sum when its account is closed or removed", () => {
  const time = { iso: "", ms: 0 };
  const paying = { since: time, requests: 2, cost: 3.5 };
  const words = (...accounts: readonly AccountView[]) =>
    payingSumText({ paying: { ...paying, cost: 4.75 }, accounts }, " by token");
  const one = account("key");
  strictEqual(words({ ...one, paying }), "paying by token $4.75");
  strictEqual(words(one), "paid by token $4.75");
  strictEqual(words(), "paid by token $4.75");
  strictEqual(payingSumText({ paying: null, accounts: [one] }), null);
  // An older server has no sum.
  strictEqual(
    payingSumText({ accounts: [{ ...one, paying }, { ...one, paying }] }),
    "paying $7.00",
  );
});

/**
 * What accounts did in the last hour, and how long the pool lasts at that
 * pace, as lines of `tc status`.
 *
 * @module
 */

import type { AccountView, StatusView } from "../../control/protocol.ts";
import { lastsText, spentText } from "../../control/forecast_words.ts";
import { countText, inert, percentText } from "../../control/words.ts";

/** One line for each account that answered something in the last hour. */
export function recentLines(view: StatusView): readonly string[] {
  const busy = view.accounts.filter(({ recent }) => recent.requests1h > 0);
  const width = Math.max(0, ...busy.map(({ label }) => inert(label).length));
  return busy.map((account) => {
    const { requests15m, requests1h, hitRate1h, tokens1h } = account.recent;
    const parts = [
      `${requests15m} in 15m, ${requests1h} in 1h`,
      `${countText(tokens1h)} tok`,
      `hit ${percentText(hitRate1h)}`,
      ...endings(account, view.at.ms),
    ];
    return `  ${inert(account.label).padEnd(width + 2)}${parts.join(" · ")}`;
  });
}

/** Windows that may run out before their reset at the present pace. */
function endings({ windows }: AccountView, now: number): readonly string[] {
  const time = { now, timeZone: null };
  return windows.flatMap((window) => spentText(window, time) ?? []);
}

/** How long the pool lasts, and on what that rests. */
export function forecastLine({ forecast, at }: StatusView): string {
  const { tokensPerHour, isGuess } = forecast;
  if (tokensPerHour === 0) {
    return "forecast: nothing was used in the last hour";
  }
  const pace = `${countText(tokensPerHour)} quota tokens an hour`;
  const guess = isGuess ? ", a guess: plan sizes are not learned yet" : "";
  const end = lastsText(forecast, { now: at.ms, timeZone: null }) ??
    "lasts a week or longer";
  return `forecast: ${end} at ${pace}${guess}`;
}

/**
 * What a replay of history says, in words.
 *
 * @module
 */

import { countText, percentText } from "../../control/words.ts";
import type { HistoryAnswer } from "./simulate_history.ts";

/** What was replayed, and whether the replay may be believed. */
export function historyLines(answer: HistoryAnswer): readonly string[] {
  const { requests, days, check } = answer;
  const lines = [
    `${requests} requests of the last ${days} days, replayed under ${check.policy} as they ran:`,
    `  recorded ${countText(check.recordedTokens)} quota tokens, predicted ${
      countText(check.predictedTokens)
    }: ${percentText(check.error)} off`,
    ...check.accounts.map(({ name, recordedTokens, predictedTokens }) =>
      `  ${name.padEnd(12)} recorded ${
        countText(recordedTokens).padStart(6)
      }  predicted ${countText(predictedTokens).padStart(6)}`
    ),
  ];
  lines.push(
    `  waiting: recorded ${
      check.recordedStalledHours.toFixed(1)
    } h, predicted ${check.predictedStalledHours.toFixed(1)} h`,
  );
  if (check.isGood) return [...lines, ""];
  return [
    ...lines,
    "The replay does not come to what really happened, so nothing is concluded from it.",
    "  tc simulate --workloads   compares the policies on the built-in work",
  ];
}

/** "With +5x you would have waited 11 h less", or null. */
export function changeSentence(
  { change, check }: HistoryAnswer,
): string | null {
  if (change === null) return null;
  if (!check.isWaitingGood) {
    return "The replay does not wait as you really did: nothing is said of hours saved.";
  }
  const { accounts, stalledHoursBefore, stalledHoursAfter } = change;
  const saved = stalledHoursBefore - stalledHoursAfter;
  const hours = Math.abs(saved).toFixed(1);
  const words = saved >= 0.05
    ? `would have saved ${hours} h of waiting`
    : saved <= -0.05
    ? `would have cost ${hours} h more of waiting`
    : "would have changed nothing in the waiting";
  return `${accounts.join(" ")} ${words} (${
    stalledHoursBefore.toFixed(1)
  } h before, ${
    stalledHoursAfter.toFixed(1)
  } h after). What you would have done with less waiting is not known.`;
}

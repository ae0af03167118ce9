/**
 * `deno task soak`: two hours of mixed traffic, or `--minutes N`. Prints what
 * the process held, and fails where it grew or left something behind.
 */

import { parseArgs } from "node:util";
import { type Sample, slopeMbPerHour, soak } from "./soak.ts";

const MINUTE_MS = 60_000;
const SAMPLES = 240;
/** The aim of a long run; a short one is all warm-up. */
const SLOPE_MB_MAX = 1;
const SLOPE_FROM_MINUTES = 90;
const SKIP_SHARE = 0.5;

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function lineOf({ atMs, rssMb, files, threads }: Sample): string {
  const minutes = (atMs / MINUTE_MS).toFixed(1).padStart(6);
  return `${minutes} min  ${rssMb.toFixed(1).padStart(6)} MB  ` +
    `${files} files  ${threads} threads`;
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      minutes: { type: "string", default: "120" },
      sessions: { type: "string", default: "20" },
    },
  });
  const minutes = Number(values.minutes);
  const durationMs = minutes * MINUTE_MS;
  const found = await soak({
    durationMs,
    sessions: Number(values.sessions),
    sampleMs: durationMs / SAMPLES,
    expireMs: Math.min(MINUTE_MS, durationMs / 10),
    onSample: (sample) => print(lineOf(sample)),
  });
  const { samples, strange, sentTwice, reused, leftOver } = found;
  const slope = slopeMbPerHour(samples, SKIP_SHARE);
  const files = samples.map((sample) => sample.files);
  print(
    `${found.requests} requests of ${found.sessions} sessions, ` +
      `${found.left} left by the client, ${found.broken} broken, ` +
      `${found.renewals} renewals`,
  );
  print(
    `statuses that no fault explains: ${JSON.stringify(strange)}; ` +
      `sent twice: ${sentTwice.length}; tokens used again: ${reused}; ` +
      `left over: ${leftOver}`,
  );
  print(
    `memory: ${slope.toFixed(2)} MB an hour over the second half; ` +
      `files: ${Math.min(...files)} to ${Math.max(...files)}`,
  );
  const isClean = Object.keys(strange).length === 0 &&
    sentTwice.length + reused + leftOver === 0;
  const isFlat = minutes < SLOPE_FROM_MINUTES || slope < SLOPE_MB_MAX;
  return isClean && isFlat;
}

if (import.meta.main) Deno.exit(await main() ? 0 : 1);

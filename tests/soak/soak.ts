/**
 * tc as a process under mixed traffic for as long as one likes: sessions that
 * come and go, clients that leave, answers that break, tokens that end. Looks
 * at what it holds meanwhile.
 */

import type { ScriptedApi } from "../fixtures/scripted_api.ts";
import { logLine } from "../../src/demo/provider/records.ts";
import { simulateSessions } from "../../src/demo/traffic/traffic.ts";
import type { TrafficReport } from "../../src/demo/traffic/traffic_session.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { ServedPool } from "../fixtures/served_pool.ts";

export interface SoakOptions {
  readonly durationMs: number;
  /** Sessions at a time, each of about one request a second. */
  readonly sessions: number;
  readonly sampleMs: number;
  /** One account after the other loses its token so often. */
  readonly expireMs: number;
  /** Told of each sample. */
  readonly onSample?: (sample: Sample) => void;
}

/** What the process holds at one moment. */
export interface Sample {
  readonly atMs: number;
  /** Resident memory. */
  readonly rssMb: number;
  readonly files: number;
  readonly threads: number;
}

export interface SoakReport {
  readonly samples: readonly Sample[];
  readonly requests: number;
  readonly sessions: number;
  readonly left: number;
  readonly broken: number;
  readonly renewals: number;
  /** Requests whose status no fault of the upstream explains. */
  readonly strange: Readonly<Record<number, number>>;
  /** Sends of one request that were both processed, in words. */
  readonly sentTwice: readonly string[];
  /** Refresh tokens used again, and families that died of it. */
  readonly reused: number;
  readonly killed: number;
  /** Requests that the server still counts when all have ended. */
  readonly leftOver: number;
}

const ACCOUNTS = ["a", "b", "c", "d"];
const PROMPTS_A_SESSION = 2;
const LEAVE_CHANCE = 0.1;
/** The upstream's faults; each is rare, together about one in twelve. */
const FAULTS = {
  throttled: 0.01,
  overloaded: 0.01,
  server_error: 0.01,
  error_event: 0.01,
  late: 0.02,
  truncated: 0.01,
  cut: 0.01,
} as const;
/** What a client may meet under these faults. */
const EXPECTED = new Set([200, 429, 500, 502, 529]);

/** Runs the traffic and tells what it left behind. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  await using served = await ServedPool.open({
    accounts: ACCOUNTS,
    settings: { routing: { parking: 0 }, log: { level: "info" } },
  });
  served.api.faults({ rate: FAULTS, seed: "soak", lateMs: 300 });
  for (const name of ACCOUNTS) {
    served.api.account(name).limits({
      concurrency: 64,
      requestsPerMinute: 10_000,
    });
  }
  const end = performance.now() + options.durationMs;
  const lanes = Array.from(
    { length: options.sessions },
    (_, lane) => laneOf(served, lane, end),
  );
  const watch = watched(served, end, options);
  const expiring = expired(served, end, options.expireMs);
  const reports = (await Promise.all(lanes)).flat();
  const samples = await watch;
  await expiring;
  return await reportOf(served, reports, samples);
}

/** One session after the other. */
async function laneOf(
  served: ServedPool,
  lane: number,
  end: number,
): Promise<readonly TrafficReport[]> {
  const reports: TrafficReport[] = [];
  while (performance.now() < end) {
    const traffic = simulateSessions({
      baseUrl: served.baseUrl,
      clock: realClock,
      seed: `${lane}/${reports.length}`,
      pace: "fleet",
      sessions: 1,
      promptsMax: PROMPTS_A_SESSION,
      leaveChance: LEAVE_CHANCE,
    });
    // Not stopped in the middle: Deno's `node:http` may send a request again
    // that is given up while it waits for its connection.
    reports.push(await traffic.done);
  }
  return reports;
}

async function watched(
  { pid }: ServedPool,
  end: number,
  { sampleMs, onSample }: SoakOptions,
): Promise<readonly Sample[]> {
  const startedAt = performance.now();
  const samples: Sample[] = [];
  while (performance.now() < end) {
    await realClock.sleep(Math.min(sampleMs, end - performance.now()));
    const sample = await sampleOf(pid, performance.now() - startedAt);
    samples.push(sample);
    onSample?.(sample);
  }
  return samples;
}

/** Read from /proc; zeros where a system has none. */
async function sampleOf(pid: number, atMs: number): Promise<Sample> {
  if (Deno.build.os !== "linux") {
    return { atMs, rssMb: 0, files: 0, threads: 0 };
  }
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const figure = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const files = (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
  return {
    atMs,
    rssMb: figure("VmRSS") / 1024,
    files,
    threads: figure("Threads"),
  };
}

async function expired(
  { api }: ServedPool,
  end: number,
  expireMs: number,
): Promise<void> {
  for (let turn = 0; performance.now() + expireMs < end; turn++) {
    await realClock.sleep(expireMs);
    api.account(ACCOUNTS[turn % ACCOUNTS.length] ?? "a").expire();
  }
}

async function reportOf(
  served: ServedPool,
  reports: readonly TrafficReport[],
  samples: readonly Sample[],
): Promise<SoakReport> {
  const { api, pool } = served;
  await api.idle();
  const sum = (of: (report: TrafficReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0);
  const strange: Record<number, number> = {};
  for (const { byStatus } of reports) {
    for (const [status, count] of Object.entries(byStatus)) {
      if (EXPECTED.has(Number(status))) continue;
      strange[Number(status)] = (strange[Number(status)] ?? 0) + count;
    }
  }
  const { reuses, killed } = api.families();
  return {
    samples,
    requests: sum(({ requests }) => requests),
    sessions: reports.length,
    left: sum(({ left }) => left),
    broken: sum(({ broken }) => broken),
    renewals: api.requests("/v1/oauth/token").length,
    strange,
    sentTwice: sentTwice(api),
    reused: reuses,
    killed,
    leftOver: await leftOver(pool),
  };
}

function sentTwice(api: ScriptedApi): readonly string[] {
  return [...api.acceptedPerNonce()].flatMap(([nonce, count]) => {
    if (count < 2) return [];
    const sends = api.requests("/v1/messages")
      .filter((request) => request.nonce === nonce)
      .map((request) =>
        `${request.startedAt}-${request.endedAt} ${request.session} ` +
        `${logLine(request)} ${request.fault ?? "no fault"}`
      );
    return [sends.join(" and ")];
  });
}

/** Requests in hand by the server's own count, once it has had a moment. */
async function leftOver(pool: ServedPool["pool"]): Promise<number> {
  for (let look = 0;; look++) {
    const { accounts } = await pool.json(["status"]);
    const inFlight = Array.isArray(accounts)
      ? accounts.reduce((total, { inFlight }) => total + inFlight, 0)
      : NaN;
    if (inFlight === 0 || look === 10) return inFlight;
    await realClock.sleep(300);
  }
}

/**
 * Growth of memory in MB an hour: least squares over the samples behind the
 * first `skipShare` of the time, in which caches fill and code is compiled.
 */
export function slopeMbPerHour(
  samples: readonly Sample[],
  skipShare: number,
): number {
  const last = samples.at(-1)?.atMs ?? 0;
  const points = samples.filter(({ atMs }) => atMs >= skipShare * last);
  const mean = (of: (sample: Sample) => number) =>
    points.reduce((total, sample) => total + of(sample), 0) / points.length;
  const at = mean(({ atMs }) => atMs);
  const mb = mean(({ rssMb }) => rssMb);
  let over = 0;
  let under = 0;
  for (const { atMs, rssMb } of points) {
    over += (atMs - at) * (rssMb - mb);
    under += (atMs - at) ** 2;
  }
  return under === 0 ? 0 : over / under * 3_600_000;
}

/** What the machine says about itself and its processes. */

/** Resident memory of a process, in MB; NaN if unknown. */
export async function rssMb(pid: number | null): Promise<number> {
  if (pid === null) return NaN;
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "rss=", "-p", `${pid}`],
  }).output();
  return Number(new TextDecoder().decode(stdout).trim()) / 1024;
}

/**
 * Processor time that a process has used so far, by the threads that it still
 * has; NaN if unknown. The system counts it in nanoseconds, where the time of
 * the whole process comes in steps of ten milliseconds.
 */
export async function cpuUs(pid: number | null): Promise<number> {
  if (pid === null || Deno.build.os !== "linux") return NaN;
  let ns = 0;
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    const path = `/proc/${pid}/task/${name}/schedstat`;
    // A thread may end meanwhile.
    const text = await Deno.readTextFile(path).catch(() => "0");
    ns += Number(text.split(" ", 1)[0]);
  }
  return ns / 1_000;
}

/** The load of the last minute, in processors. */
export function load(): string {
  return (Deno.loadavg()[0] ?? NaN).toFixed(1);
}

const QUIET_CHECK_MS = 2_000;

/** Waits up to `waitMs` until less than half of the processors are in use. */
export async function untilQuiet(waitMs: number): Promise<void> {
  const endMs = performance.now() + waitMs;
  while (performance.now() < endMs) {
    if (await busyShare() < 0.5) return;
  }
}

/** The share of the processors that is in use, over a short while. */
async function busyShare(): Promise<number> {
  const before = await idleTicks();
  await new Promise((resolve) => setTimeout(resolve, QUIET_CHECK_MS));
  const after = await idleTicks();
  const all = after.all - before.all;
  return all === 0 ? 0 : 1 - (after.idle - before.idle) / all;
}

async function idleTicks(): Promise<
  { readonly idle: number; readonly all: number }
> {
  if (Deno.build.os !== "linux") return { idle: 0, all: 0 };
  const text = await Deno.readTextFile("/proc/stat");
  const ticks = (text.split("\n", 1)[0] ?? "").split(/ +/).slice(1).map(Number);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return { idle, all: ticks.reduce((sum, value) => sum + value, 0) };
}

/** Its processor, system and Deno, in one line. */
export async function machine(): Promise<string> {
  const rest = `${navigator.hardwareConcurrency} cores, ${Deno.build.os}, ` +
    `Deno ${Deno.version.deno}`;
  try {
    const text = await Deno.readTextFile("/proc/cpuinfo");
    const model = /^model name\s*: (.*)$/m.exec(text)?.[1] ?? Deno.build.arch;
    return `${model}, ${rest}`;
  } catch {
    return `${Deno.build.arch}, ${rest}`;
  }
}

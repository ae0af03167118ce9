import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { FileLocks } from "../../src/store/files/lock.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { trials } from "../fixtures/trials.ts";
import { needs } from "../fixtures/skipped.ts";

const PORTS = { clock: realClock, entropy: realEntropy };

/** A process that takes the lock `a` of `folder`, says so and keeps it. */
async function holder(folder: string): Promise<Deno.ChildProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--no-check",
      `
      const file = await Deno.open(Deno.args[0] + "/a.lock", { create: true, write: true });
      await file.lock(true);
      console.log("held");
      setTimeout(() => {}, 60_000);
      await new Promise(() => {});
    `,
      folder,
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  strictEqual(new TextDecoder().decode(value).trim(), "held");
  reader.releaseLock();
  return child;
}

async function end(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch {
    // It is gone already.
  }
  await child.stdout.cancel();
  await child.status;
}

Deno.test("acquire() lets one at a time in, in order", async () => {
  await using folder = new TempFolder();
  const locks = new FileLocks(folder.path, PORTS);
  const order: number[] = [];
  let inside = 0;
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      using _lock = await locks.acquire("a", { waitMs: 5_000 });
      inside += 1;
      strictEqual(inside, 1);
      order.push(index);
      await realClock.sleep(1);
      inside -= 1;
    }),
  );
  deepStrictEqual(order, Array.from({ length: 20 }, (_, index) => index));
});

Deno.test("acquire() keeps different names apart", async () => {
  await using folder = new TempFolder();
  const locks = new FileLocks(folder.path, PORTS);
  using _a = await locks.acquire("a", { waitMs: 0 });
  using _b = await locks.acquire("b", { waitMs: 0 });
});

Deno.test("acquire() excludes other holders of the same file", async () => {
  await using folder = new TempFolder();
  const first = new FileLocks(folder.path, PORTS);
  const second = new FileLocks(folder.path, PORTS);
  const held = await first.acquire("a", { waitMs: 0 });
  await rejects(second.acquire("a", { waitMs: 30 }), { code: "lock_timeout" });
  held.release();
  held.release();
  using _again = await second.acquire("a", { waitMs: 0 });
});

Deno.test("acquire() gives up in the queue too, and lets the next one in", async () => {
  await using folder = new TempFolder();
  const locks = new FileLocks(folder.path, PORTS);
  const held = await locks.acquire("a", { waitMs: 0 });
  const stop = new AbortController();
  const impatient = locks.acquire("a", { waitMs: 20 });
  const stopped = locks.acquire("a", { waitMs: 5_000, signal: stop.signal });
  const patient = locks.acquire("a", { waitMs: 5_000 });
  await rejects(impatient, { code: "lock_timeout" });
  stop.abort(new Error("enough"));
  await rejects(stopped, { message: "enough" });
  held.release();
  using _lock = await patient;
});

Deno.test("acquire() times out on another process, and has the lock once that is killed", async () => {
  await using folder = new TempFolder();
  const locks = new FileLocks(folder.path, PORTS);
  for (let round = 0; round < trials(2, 50); round++) {
    const child = await holder(folder.path);
    try {
      await rejects(locks.acquire("a", { waitMs: 60 }), {
        code: "lock_timeout",
      });
      const waiting = locks.acquire("a", { waitMs: 20_000 });
      child.kill("SIGKILL");
      using _lock = await waiting;
    } finally {
      await end(child);
    }
  }
});

Deno.test({
  name: "acquire() makes private lock files and takes old ones from the others",
  ignore: needs("modes"),
  async fn() {
    await using folder = new TempFolder();
    await Deno.writeTextFile(folder.join("a.lock"), "");
    await Deno.chmod(folder.join("a.lock"), 0o666);
    const locks = new FileLocks(folder.path, PORTS);
    for (const name of ["a", "b"]) {
      using _lock = await locks.acquire(name, { waitMs: 0 });
      const { mode } = await Deno.stat(folder.join(`${name}.lock`));
      strictEqual((mode ?? 0) & 0o777, 0o600);
    }
  },
});

Deno.test("acquire() tells why a lock file cannot be made", async () => {
  await using folder = new TempFolder();
  const locks = new FileLocks(folder.join("missing"), PORTS);
  const error = await locks.acquire("a", { waitMs: 0 }).catch((e) => e);
  ok(error instanceof Error);
  ok(error.message.startsWith(`Cannot lock ${folder.join("missing/a.lock")}`));
});

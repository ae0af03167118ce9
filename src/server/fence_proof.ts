/**
 * Proves the fence on this machine: the worker with a server's grants and the
 * main thread, after it gave up its network, both try to break out.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { type FenceAttempt, tryFence } from "./fence.ts";
import type { Paths } from "../system/paths.ts";
import type { Grants } from "./permissions.ts";
import { giveUpNetwork, proveWorker } from "./supervisor.ts";

interface FenceProof {
  /** Attempts of the server's worker. */
  readonly worker: readonly FenceAttempt[];
  /** Attempts of the main thread, as it is while a server runs. */
  readonly main: readonly FenceAttempt[];
  /** Connections that reached a port nobody granted; 0 is right. */
  readonly arrivals: number;
}

/** Runs the proof. Afterwards this thread has no network. */
export async function proveFence(
  grants: Grants,
  { configFile, secretsFolder }: Paths,
): Promise<FenceProof> {
  const outside = await Deno.makeTempDir({ prefix: "tc-fence-" });
  const trap = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const arrivals = countArrivals(trap);
  try {
    await Deno.writeTextFile(join(outside, "bait.txt"), "bait");
    new DatabaseSync(join(outside, "bait.db")).close();
    const inside = await existing(grants.write);
    const targets = {
      outside,
      inside,
      config: configFile,
      commands: secretsFolder,
      port: trap.addr.port,
    };
    const worker = await proveWorker(grants, targets);
    giveUpNetwork();
    const main = await tryFence(targets, ["net", "sys", "ffi"]);
    return { worker, main, arrivals: arrivals.count };
  } finally {
    trap.close();
    await Deno.remove(outside, { recursive: true });
  }
}

function countArrivals(trap: Deno.Listener): { readonly count: number } {
  const seen = { count: 0 };
  (async () => {
    for await (const connection of trap) {
      seen.count++;
      connection.close();
    }
  })().catch(() => {
    // Closed at the end of the proof.
  });
  return seen;
}

async function existing(folders: readonly string[]): Promise<string | null> {
  for (const folder of folders) {
    const found = await Deno.stat(folder).catch(() => null);
    if (found?.isDirectory) return folder;
  }
  return null;
}

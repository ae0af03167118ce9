/** claimPool(): one server a pool, and who it is. */

import "../fixtures/clean_environment.ts";
import { match, rejects, strictEqual } from "node:assert/strict";
import { TcError } from "../../src/errors.ts";
import { claimPool } from "../../src/server/server_claim.ts";
import type { StartOrder } from "../../src/server/worker_protocol.ts";
import { FileLocks } from "../../src/store/files/lock.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

Deno.test("whoever finds the pool taken waits for the name of the one that has just taken it", async () => {
  await using folder = new TempFolder();
  const ports = { clock: realClock, entropy: realEntropy };
  using _lock = await new FileLocks(folder.path, ports)
    .acquire("server", { waitMs: 0 });
  const named = realClock.sleep(100).then(() =>
    Deno.writeTextFile(
      folder.join("server.json"),
      JSON.stringify({
        pid: Deno.pid,
        version: "1.2.3",
        origin: "http://127.0.0.1:3456",
      }),
    )
  );
  const order = {
    paths: { stateFolder: folder.path },
    takesOver: false,
  } as unknown as StartOrder;
  await rejects(
    claimPool({ order, journal: { log: () => {} } }),
    (cause) => {
      strictEqual((cause as TcError).code, "already_running");
      match((cause as TcError).message, new RegExp(`pid ${Deno.pid}\\)`));
      return true;
    },
  );
  await named;
});

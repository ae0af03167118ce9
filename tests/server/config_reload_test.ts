/** A config that somebody spoils while the server runs. */

import { match, strictEqual } from "node:assert/strict";
import { EXIT } from "../../src/errors.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { ServedPool } from "../fixtures/served_pool.ts";

/** Beyond the moment of quiet that the watch waits for. */
const NOTICED_MS = 1_500;

Deno.test("a server keeps running with an accounts row that it cannot use", async () => {
  await using served = await ServedPool.open();
  const { configFile } = served.pool.paths;
  const good = await Deno.readTextFile(configFile);
  const row = { name: "work", priority: "high" };
  const bad = JSON.stringify({ ...JSON.parse(good), accounts: [row] });

  await Deno.writeTextFile(configFile, bad);
  await realClock.sleep(NOTICED_MS);
  const answer = await served.post();
  strictEqual(answer.status, 200);
  await answer.body?.cancel();

  const told = await served.pool.tc(["reload"]);
  strictEqual(told.code, EXIT.badConfig);
  match(told.stderr, /accounts\[0\]\.priority/);

  await Deno.writeTextFile(configFile, good);
  strictEqual((await served.pool.tc(["reload"])).code, EXIT.ok);

  const held = { ...JSON.parse(good), hold: { maxMs: 1_000 } };
  await Deno.writeTextFile(configFile, JSON.stringify(held));
  for (let time = 0; time < 2; time++) {
    const { stdout } = await served.pool.tc(["reload"]);
    match(stdout, /take effect after tc restart/);
  }
});

/** cacheAccount(): hits, misses, rebuilds and what a switch cost. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import {
  cacheAccount,
  hitRate,
  isColdRebuild,
  NO_CACHE_USE,
  NO_USAGE,
} from "../../src/core/usage.ts";

const WARM = { ...NO_USAGE, input: 10, cacheRead: 900, cacheWrite5m: 90 };
const COLD = { ...NO_USAGE, input: 10, cacheWrite5m: 500, cacheWrite1h: 490 };

Deno.test("cacheAccount() tells hit, miss and rebuild apart", () => {
  deepStrictEqual(cacheAccount(WARM, { isSwitch: false }), {
    ...NO_CACHE_USE,
    hit: 900,
    miss: 100,
    rebuild: 90,
  });
  deepStrictEqual(cacheAccount(COLD, { isSwitch: true }), {
    hit: 0,
    miss: 1_000,
    rebuild: 990,
    coldRebuilds: 1,
    switches: 1,
    switchRebuild: 990,
  });
});

Deno.test("a rebuild is cold when more was written than read", () => {
  strictEqual(isColdRebuild(NO_USAGE), false);
  strictEqual(
    isColdRebuild({ ...NO_USAGE, cacheRead: 5, cacheWrite1h: 5 }),
    false,
  );
  strictEqual(
    isColdRebuild({ ...NO_USAGE, cacheRead: 5, cacheWrite1h: 6 }),
    true,
  );
});

Deno.test("hitRate() of nothing is unknown", () => {
  strictEqual(hitRate(NO_USAGE), null);
  strictEqual(hitRate(WARM), 0.9);
});

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { configFrom, withSetting } from "../../src/config/config.ts";
import {
  isRetired,
  needsRestart,
  routeSettings,
  settingRows,
} from "../../src/config/settings.ts";
import { DEFAULT_ROUTE_SETTINGS } from "../../src/core/settings.ts";

/** What a running server takes over, or never asks for. */
const LIVE = /^(routing|usage|update|paid|history)\.|^(pricing|routes)$/;

/** Another value than the default, of the same kind. */
const OTHER: Readonly<Record<string, unknown>> = {
  "proxy.host": "::1",
  "store.url": "postgres://db.example/tc",
  "oauth.authorizeUrl": "https://login.example",
  "oauth.tokenUrl": "https://token.example",
  "vault.backend": "file",
  "log.level": "debug",
  "hold.beyond": "retry",
  "otel.protocol": "http/json",
  "otel.headers": "api-key=another",
  "notify.secret": "another-secret",
  "notify.quiet": "22:00-07:00",
};

function other(key: string, fallback: unknown): unknown {
  if (OTHER[key] !== undefined) return OTHER[key];
  switch (typeof fallback) {
    case "number":
      return fallback + 1;
    case "boolean":
      return !fallback;
    default:
      return key === "proxy.apiKey" ? "another-key" : "https://other.example";
  }
}

function settingsWith(flags: Readonly<Record<string, unknown>>) {
  return configFrom({ file: "c.json", text: null, environment: {}, flags })
    .settings;
}

for (const { key, fallback } of settingRows()) {
  if (LIVE.test(key)) continue;
  Deno.test(`needsRestart() says so of ${key}`, () => {
    const after = settingsWith({ [key]: other(key, fallback) });
    strictEqual(needsRestart(settingsWith({}), after), true);
  });
}

Deno.test("every setting has a sentence and a range, and every number a unit", () => {
  // Numbers that count nothing.
  const plain = ["proxy.port"];
  for (const { key, help, allowed, unit, fallback } of settingRows()) {
    match(help, /^[A-Z].{10,}[^.]$/, key);
    ok(allowed.length > 3, key);
    if (typeof fallback !== "number") strictEqual(unit, null, key);
    else ok(unit !== null || plain.includes(key), `${key} has no unit`);
  }
});

Deno.test("a retired setting changes nothing and is told", () => {
  const text = '{"routing": {"parkingLoad": 7, "stormRamp": "off", "x": 1}}';
  const config = configFrom({
    file: "c.json",
    text,
    environment: {},
    flags: {},
  });
  deepStrictEqual(config.retiredKeys, [
    "routing.parkingLoad",
    "routing.stormRamp",
  ]);
  deepStrictEqual(config.unknownKeys, ["routing.x"]);
  deepStrictEqual(routeSettings(config.settings), DEFAULT_ROUTE_SETTINGS);
  for (const { key } of settingRows()) ok(!isRetired(key), key);
});

Deno.test("withSetting() leaves no empty section of any setting that it removes", () => {
  const nested = settingRows().filter(({ key }) => key.includes("."));
  ok(nested.length > 50);
  for (const { key, fallback } of nested) {
    const [section = ""] = key.split(".");
    const other = { mine: 1 };
    const set = withSetting({ other }, key, fallback);
    deepStrictEqual(withSetting(set, key, undefined), { other }, key);
    // Where it was never set, no section comes to be; an empty one goes.
    deepStrictEqual(withSetting({ other }, key, undefined), { other }, key);
    deepStrictEqual(withSetting({ [section]: {} }, key, undefined), {}, key);
    const beside = withSetting(set, `${section}.unknown`, 1);
    deepStrictEqual(
      withSetting(beside, key, undefined),
      { other, [section]: { unknown: 1 } },
      key,
    );
  }
  deepStrictEqual(
    withSetting({ paid: "wrong" }, "paid.max", undefined),
    { paid: "wrong" },
  );
});

import { strictEqual } from "node:assert/strict";
import { configFrom } from "../../src/config/config.ts";
import { needsRestart, settingRows } from "../../src/config/settings.ts";

/** What a running server takes over, or never asks for. */
const LIVE = /^(routing|usage|update|paid)\.|^pricing$/;

/** Another value than the default, of the same kind. */
const OTHER: Readonly<Record<string, unknown>> = {
  "proxy.host": "::1",
  "oauth.authorizeUrl": "https://login.example",
  "oauth.tokenUrl": "https://token.example",
  "vault.backend": "file",
  "log.level": "debug",
  "hold.beyond": "retry",
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

/** A spent pool in the words of the real Claude Code, to the end of the wait. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { HOUR_MS, SECOND_MS } from "../../src/core/time.ts";
import {
  claudeBinary,
  ClaudeHome,
  type ClaudeVersion,
  testEachClaude,
  whyNoClaude,
} from "../fixtures/claude_code.ts";
import { inMs, LOCAL_KEY } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";
import { trials } from "../fixtures/trials.ts";

/** The client in login mode: it takes any token and sends it to the base URL. */
function loginMode(url: string): Readonly<Record<string, string>> {
  return { ANTHROPIC_BASE_URL: url, CLAUDE_CODE_OAUTH_TOKEN: LOCAL_KEY };
}

testEachClaude(
  "print mode ends at once with the limit's sentence",
  async (version) => {
    await using scene = new Scene();
    await using claude = await ClaudeHome.make(version);
    for (const label of ["a", "b", "c"]) {
      scene.kit.spend(label, inMs(3 * HOUR_MS));
    }
    const { code, stdout, stderr, tookMs } = await claude.run(
      ["-p", "hi"],
      loginMode(scene.kit.url),
    );
    strictEqual(code, 1);
    match(`${stdout}${stderr}`, /You've hit your .*limit.* resets /);
    ok(tookMs < 20_000, `${Math.round(tookMs)} ms`);
    strictEqual(scene.kit.records.length, 1, "it asked again");
  },
);

async function continues(version: ClaudeVersion): Promise<void> {
  await using scene = new Scene({ hold: { maxMs: 1_000, jsonMaxMs: 1_000 } });
  await using claude = await ClaudeHome.make(version);
  await claude.settleIn();
  for (const label of ["a", "b", "c"]) {
    scene.kit.spend(label, inMs(45 * SECOND_MS));
  }
  const binary = await claudeBinary(version);
  await using tmux = await Tmux.open({
    columns: 120,
    rows: 40,
    variables: {
      HOME: claude.home,
      LANG: "C.UTF-8",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      ...loginMode(scene.kit.url),
    },
  });
  await tmux.type(`cd ${claude.project} && ${binary}`);
  await tmux.until("prompt", (text) => text.includes("❯"));
  await tmux.type("hi");
  const screen = await tmux.until(
    "limit",
    (text) => text.includes("continue automatically at"),
  );
  match(screen, /[Uu]sage limit reached|hit your 5-hour limit/);
  const asked = scene.kit.records.length;
  for (let second = 0; second < 200; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    if (scene.origin.requests().length > 0) break;
  }
  strictEqual(scene.kit.records.length <= asked + 1, true, "it asked between");
  await tmux.until("answer", (text) => /● Hi\b/.test(text));
}

Deno.test({
  name: "the interactive client says when it goes on, and does",
  // Up to three minutes: with TC_LONG=1 alone.
  ignore: trials(0, 1) === 0 || whyNoClaude() !== null || !hasTmux(),
  fn: () => continues("2.1.332"),
});

/** The real Claude Code without tools: its conversation keeps its account. */

import { strictEqual } from "node:assert/strict";
import { ClaudeHome, testEachClaude } from "../fixtures/claude_code.ts";
import { makeDear, Scene } from "../fixtures/proxy_scene.ts";
import { LOCAL_KEY } from "../fixtures/proxy_kit.ts";

testEachClaude(
  "claude --tools '' is a conversation that is bound",
  async (version) => {
    await using scene = new Scene();
    await using claude = await ClaudeHome.make(version);
    const { kit } = scene;
    const env = {
      ANTHROPIC_BASE_URL: kit.url,
      ANTHROPIC_AUTH_TOKEN: LOCAL_KEY,
    };
    let home = "";
    for (const words of [[], ["--continue"], ["--continue"]]) {
      const { code, stdout, stderr } = await claude.run(
        ["-p", "say hi", ...words, "--tools", ""],
        env,
      );
      strictEqual(code, 0, `${stdout}${stderr}`);
      if (home === "") home = scene.asked.at(-1) ?? "";
      makeDear(kit, home);
    }
    const last = kit.records.at(-1);
    strictEqual(last?.isSide, false);
    strictEqual(last?.accountId, scene.asked.at(-2));
    strictEqual(kit.keeper.state.bindings.size, 1);
  },
);

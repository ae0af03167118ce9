import "../fixtures/clean_environment.ts";
import { doesNotMatch, ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { cleanVariables, tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";
import { trials } from "../fixtures/trials.ts";
import { Draw } from "./random_scene.ts";

const SIGNALS: readonly [Deno.Signal, ...Deno.Signal[]] = [
  "SIGTERM",
  "SIGINT",
  "SIGHUP",
  "SIGQUIT",
];

/** From before the program runs to well after it draws. */
const KILL_AFTER_MS_MAX = 3_000;

const UNTOUCHED = "alternate 0 cursor 1 wrap 1";

interface Stage extends AsyncDisposable {
  readonly tmux: Tmux;
  /** `tc watch` as the shell is to run it. */
  readonly watch: string;
}

async function stage(columns: number, rows: number): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  const api = stack.use(await startScriptedApi({ seed: "terminal" }));
  api.account("work", { tier: "max_20x" });
  const pool = stack.use(await TcPool.of(api));
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  stack.defer(async () => {
    await pool.tc(["stop"]);
    await server.status;
  });
  const variables = cleanVariables(pool.folder.path);
  const tmux = stack.use(await Tmux.open({ columns, rows, variables }));
  while ((await pool.tc(["status"])).code !== 0) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return {
    tmux,
    watch: `${tcCommand().join(" ")} watch`,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

Deno.test({
  name: "a killed tc watch leaves the terminal as it was",
  ignore: !hasTmux(),
  async fn() {
    await using scene = await stage(100, 30);
    const { tmux, watch } = scene;
    const draw = new Draw(Number(Deno.env.get("TC_SEED") ?? 21));
    const { folder } = tmux;
    await tmux.type(`stty -a >${folder.join("before")}; echo before-$((40+2))`);
    await tmux.until("prompt", (text) => text.includes("before-42"));
    const before = await Deno.readTextFile(folder.join("before"));
    let drawn = 0;
    for (let trial = 0; trial < trials(5, 100); trial++) {
      const pidFile = folder.join(`pid-${trial}`);
      await tmux.type(`sh -c 'echo $$ >${pidFile}; exec ${watch}'`);
      const pid = await numberIn(pidFile);
      await new Promise((resolve) =>
        setTimeout(resolve, draw.below(KILL_AFTER_MS_MAX))
      );
      if (/alternate 1/.test(await tmux.modes())) drawn++;
      const signal = draw.from(SIGNALS);
      Deno.kill(pid, signal);
      await tmux.untilShell();
      const after = folder.join(`after-${trial}`);
      await tmux.type(`stty -a >${after}; echo after-$((${trial}+1000))`);
      const word = `after-${trial + 1_000}`;
      const screen = await tmux.until(word, (text) => text.includes(word));
      const what = `trial ${trial}, ${signal}:\n${screen}`;
      strictEqual(await tmux.modes(), UNTOUCHED, what);
      strictEqual(await Deno.readTextFile(after), before, what);
      ok(trial > 3 || screen.includes("before-42"), what);
    }
    ok(drawn > 0, "no trial killed it while it was on the screen");
  },
});

async function numberIn(file: string): Promise<number> {
  for (;;) {
    const text = await Deno.readTextFile(file).catch(() => "");
    if (text.endsWith("\n")) return Number(text);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test({
  name: "tc watch on a real terminal: keys, resize, suspend and resume",
  ignore: !hasTmux(),
  async fn() {
    await using scene = await stage(120, 40);
    const { tmux, watch } = scene;
    await tmux.type("echo before-$((40+2))");
    await tmux.until("prompt", (text) => text.includes("before-42"));
    await tmux.type(watch);
    await tmux.until("account", (text) => /[●◌] work /.test(text));
    await tmux.press("?");
    await tmux.until("help", (text) => text.includes("┌ Keys and signs ─"));
    await tmux.press("Escape");
    await tmux.press("s", "Enter");
    await tmux.until("question", (text) => text.includes("┌ Pin work ─"));
    await tmux.press("y");
    await tmux.until("pin", (text) => text.includes("pinned to work"));
    await tmux.press("p", "j", "Enter", "y");
    await tmux.until("policy", (text) => text.includes("policy: pace"));
    await tmux.press("a", "t", "y");
    await tmux.until("off", (text) => /○ work .*off/.test(text));
    await tmux.press("a", "n", "C-u");
    await tmux.press("-l", "renamed");
    await tmux.press("Enter");
    await tmux.until("name", (text) => text.includes("○ renamed"));
    await tmux.run("resize-window", "-x", "60", "-y", "24");
    await tmux.until(
      "narrow screen",
      (text) =>
        /^ (tc · )?. (green|yellow|red) · /.test(text) &&
        text.includes("── accounts "),
    );
    await tmux.press("C-z");
    await tmux.until("shell", (text) => text.includes("before-42"));
    strictEqual(await tmux.modes(), UNTOUCHED);
    await tmux.type("fg");
    await tmux.until("Deck again", (text) => text.includes("── accounts "));
    await tmux.press("r", "Enter", "y");
    await tmux.until("nobody", (text) => text.includes("none yet: press a"));
    await tmux.press("q");
    await tmux.until("prompt", (text) => text.includes("before-42"));
    strictEqual(await tmux.modes(), UNTOUCHED);
  },
});

Deno.test({
  name: "nothing but the Deck writes to the terminal of tc demo",
  ignore: !hasTmux(),
  async fn() {
    await using folder = new TempFolder();
    const variables = cleanVariables(folder.path);
    await using tmux = await Tmux.open({ columns: 100, rows: 40, variables });
    await tmux.type(`${tcCommand().join(" ")} demo fleet`);
    await tmux.until("agents", (text) => text.includes("Importer"));
    // What the runtime itself has to say comes where the cursor is.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const screen = await tmux.until("screen", () => true);
    doesNotMatch(screen, /Cannot|raw mode|--allow/);
    await tmux.press("q");
    await tmux.until("question", (text) => text.includes("y"));
    await tmux.press("y");
    await tmux.untilShell();
  },
});

/** Which program a service starts. */

import { strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { type ServiceFacts, servicePlan } from "../../src/service/plan.ts";
import { lastingProgram, programIn } from "../../src/service/program.ts";
import { trials } from "../fixtures/trials.ts";

const FACTS: ServiceFacts = {
  program: "/home/ann/.local/bin/tc",
  home: "/home/ann",
  configHome: "/home/ann/.config",
  variables: {},
  folders: ["/home/ann/.config/tc"],
  logFile: "/home/ann/server.log",
  user: "501",
  session: "gui",
  drainSec: 30,
};

const VARIABLES = [{}, { TC_CONFIG: "/home/ann/a & b.json" }];

Deno.test("programIn() finds the program that the text was made for", () => {
  const paths = fc.string({ minLength: 1, unit: "grapheme-ascii" })
    .map((name) => `/opt/${name}`);
  for (const system of ["systemd", "launchd", "windows"] as const) {
    for (const variables of VARIABLES) {
      fc.assert(
        fc.property(paths, (program) => {
          // No path of Windows has a quote.
          fc.pre(system !== "windows" || !program.includes('"'));
          const { text } = servicePlan(system, {
            ...FACTS,
            variables,
            program,
          });
          strictEqual(programIn(system, text), program);
        }),
        { numRuns: trials(200, 10_000) },
      );
    }
  }
});

Deno.test("programIn() reads what a person wrote into the unit", () => {
  const starts = (line: string) => programIn("systemd", `[Service]\n${line}\n`);
  strictEqual(starts("ExecStart=/usr/bin/tc server"), "/usr/bin/tc");
  strictEqual(starts("ExecStart=-/usr/bin/tc server"), "/usr/bin/tc");
  strictEqual(starts('ExecStart="/opt/a b/tc" server'), "/opt/a b/tc");
  strictEqual(starts("ExecStart="), null);
  strictEqual(starts("ExecStop=/bin/true"), null);
  strictEqual(programIn("launchd", "<plist/>"), null);
  strictEqual(programIn("windows", "<Task/>"), null);
  const task = (command: string, words: string) =>
    programIn(
      "windows",
      `<Command>${command}</Command><Arguments>${words}</Arguments>`,
    );
  const quoted = "&quot;C:\\tc.exe&quot;";
  strictEqual(task("C:\\tc.exe", "server --headless"), "C:\\tc.exe");
  strictEqual(
    task(
      "cmd.exe",
      `/d /s /c &quot;set &quot;A=b&quot;&amp;&amp; ${quoted} server `,
    ),
    "C:\\tc.exe",
  );
  strictEqual(
    task("C:\\Windows\\System32\\conhost.exe", `--headless ${quoted} server `),
    "C:\\tc.exe",
  );
});

Deno.test("lastingProgram() takes Homebrew's link instead of its version", () => {
  for (
    const [path, lasting] of [
      ["/opt/homebrew/Cellar/tc/1.2.0/bin/tc", "/opt/homebrew/opt/tc/bin/tc"],
      [
        "/home/linuxbrew/.linuxbrew/Cellar/tc/1.2.0_1/bin/tc",
        "/home/linuxbrew/.linuxbrew/opt/tc/bin/tc",
      ],
      ["/home/ann/.local/bin/tc", "/home/ann/.local/bin/tc"],
    ] as const
  ) strictEqual(lastingProgram(path), lasting);
});

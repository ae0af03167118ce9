/** The launchd agent, with a stand-in for launchctl. */

import "../fixtures/clean_environment.ts";
import {
  deepStrictEqual,
  match,
  rejects,
  strictEqual,
} from "node:assert/strict";
import {
  launchdSession,
  type ServiceFacts,
  servicePlan,
} from "../../src/service/plan.ts";
import { runSteps } from "../../src/service/steps.ts";
import { MacPrograms, NO_STAND_INS } from "../fixtures/mac_programs.ts";
import { realClock } from "../fixtures/real_ports.ts";

function factsIn(home: string): ServiceFacts {
  return {
    program: "/opt/homebrew/bin/tc",
    home,
    configHome: `${home}/.config`,
    variables: {},
    folders: [],
    logFile: `${home}/server.log`,
    user: "501",
    session: "gui",
    drainSec: 3,
  };
}

Deno.test({
  name:
    "launchd: a second install ends the old agent, waits for it, and starts the new one",
  ignore: NO_STAND_INS,
  fn: async () => {
    await using mac = new MacPrograms();
    const ports = { runner: mac.runner, clock: realClock };
    const plan = servicePlan("launchd", factsIn(mac.path("home")));
    const file = mac.path("agent.plist");
    const steps = plan.install.map((step) => ({
      ...step,
      command: step.command.map((word) =>
        word === plan.file ? file : word
      ) as unknown as typeof step.command,
    }));
    for (const text of ["old", "new"]) {
      await Deno.writeTextFile(file, text);
      await runSteps(steps, ports);
      strictEqual(await Deno.readTextFile(mac.path("loaded")), text);
    }
    deepStrictEqual(
      (await mac.log("launchctl")).map((line) => line.split(" ")[0]),
      ["bootout", "bootstrap", "bootout", "bootstrap", "bootstrap"],
    );
  },
});

Deno.test({
  name:
    "launchd: what goes on failing is told in the end, with launchctl's words",
  ignore: NO_STAND_INS,
  fn: async () => {
    await using mac = new MacPrograms();
    const ports = { runner: mac.runner, clock: realClock };
    await mac.set("loaded", "held");
    await rejects(
      runSteps([{
        command: ["launchctl", "bootstrap", "gui/501", "x"],
        retrySec: 1,
      }], ports),
      (error: Error & { hint?: string }) => {
        match(
          error.message,
          /^Cannot run launchctl bootstrap .*: Bootstrap failed: 5/,
        );
        match(error.hint ?? "", /^tc service print/);
        return true;
      },
    );
  },
});

Deno.test({
  name: "launchd: without a desktop session the agent is the user's",
  ignore: NO_STAND_INS,
  fn: async () => {
    await using mac = new MacPrograms();
    strictEqual(await launchdSession("501", mac.runner), "gui");
    await mac.set("no-gui");
    strictEqual(await launchdSession("501", mac.runner), "user");
    const { install, status } = servicePlan("launchd", {
      ...factsIn("/Users/ada"),
      session: "user",
    });
    match(install.at(-1)?.command.join(" ") ?? "", /bootstrap user\/501 /);
    strictEqual(status.at(-1), "user/501/dev.tc.server");
  },
});

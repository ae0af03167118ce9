/** Planted faults of an installed service: the doctor names each and its mend. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { dirname } from "node:path";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { planFor } from "../../src/cli/setup/service.ts";
import { Shell } from "../../src/cli/shell.ts";
import type { ServicePlan } from "../../src/service/plan.ts";
import { DoctorScene } from "../fixtures/doctor_scene.ts";

/** The files of other systems are read alike: tests/service/program_test.ts. */
const IS_SYSTEMD = Deno.build.os === "linux";

/** What systemctl says of a service that is as it should be. */
const WELL = {
  UnitFileState: "enabled",
  ActiveState: "active",
  NeedDaemonReload: "no",
  Result: "success",
};

interface Installed {
  readonly scene: DoctorScene;
  readonly program: string;
  readonly plan: ServicePlan;
}

/** A program that stands for this one, installed as a service and running. */
async function install(scene: DoctorScene): Promise<Installed> {
  const program = await scene.program("tc", "#!/bin/sh\n");
  scene.variables["TC_DOCTOR_PROGRAM"] = program;
  const shell = new Shell({
    environment: scene.variables,
    system: Deno.build.os,
  }, { input: false });
  const plan = planFor(shell, program);
  await Deno.mkdir(dirname(plan.file), { recursive: true });
  await Deno.writeTextFile(plan.file, plan.text);
  await systemdSays(scene, {});
  return { scene, program, plan };
}

/** A systemctl that says so when it is asked for those properties. */
async function systemdSays(
  scene: DoctorScene,
  changes: Partial<typeof WELL>,
): Promise<void> {
  const lines = Object.entries({ ...WELL, ...changes })
    .map(([name, value]) => `${name}=${value}`).join("\n");
  await scene.program(
    "systemctl",
    `#!/bin/sh
test "$*" = "--user show tc.service --property=${Object.keys(WELL)}" || exit 9
cat <<'END'
${lines}
END
`,
  );
}

async function ofService(scene: DoctorScene): Promise<readonly Finding[]> {
  return (await scene.findings()).filter(({ topic }) => topic === "service");
}

interface Fault {
  readonly name: string;
  readonly plant: (installed: Installed) => unknown;
  readonly level: "warn" | "fail";
  readonly text: RegExp;
  readonly fix: RegExp;
}

const FAULTS: readonly Fault[] = [
  {
    name: "that starts a program which an upgrade has removed",
    plant: ({ plan, program }) =>
      Deno.writeTextFile(
        plan.file,
        plan.text.replace(program, "/opt/homebrew/Cellar/tc/0.0.9/bin/tc"),
      ),
    level: "fail",
    text: /starts \/opt\/homebrew\/Cellar\/tc\/0\.0\.9\/bin\/tc, .* not there/,
    fix: /^tc service install/,
  },
  {
    name: "that starts another tc",
    plant: async ({ scene, plan, program }) => {
      const other = scene.folder.join("other tc");
      await Deno.writeTextFile(other, "", { mode: 0o755 });
      await Deno.writeTextFile(
        plan.file,
        plan.text.replace(program, `"${other}"`),
      );
    },
    level: "warn",
    text: /it starts .*other tc, and this is .*bin\/tc/,
    fix: /^tc service install/,
  },
  {
    name: "whose file an older version wrote",
    plant: ({ plan }) =>
      Deno.writeTextFile(
        plan.file,
        plan.text.replace("Type=notify", "Type=exec"),
      ),
    level: "warn",
    text: /tc\.service is of another version or another pool/,
    fix: /^tc service install .* tc service print/,
  },
  {
    name: "whose file names no program",
    plant: ({ plan }) => Deno.writeTextFile(plan.file, "[Service]\n"),
    level: "fail",
    text: /names no program/,
    fix: /^tc service install/,
  },
  {
    name: "that is not enabled",
    plant: ({ scene }) => systemdSays(scene, { UnitFileState: "disabled" }),
    level: "warn",
    text: /not enabled/,
    fix: /^systemctl --user enable tc\.service$/,
  },
  {
    name: "that is not running",
    plant: ({ scene }) => systemdSays(scene, { ActiveState: "inactive" }),
    level: "warn",
    text: /installed and not running/,
    fix: /^tc service start$/,
  },
  {
    name: "that has failed",
    plant: ({ scene }) =>
      systemdSays(scene, { ActiveState: "failed", Result: "exit-code" }),
    level: "fail",
    text: /has failed \(exit-code\)/,
    fix: /^journalctl --user -u tc/,
  },
  {
    name: "whose file systemd has not read again",
    plant: ({ scene }) => systemdSays(scene, { NeedDaemonReload: "yes" }),
    level: "warn",
    text: /changed since systemd read it/,
    fix: /^systemctl --user daemon-reload$/,
  },
];

for (const { name, plant, level, text, fix } of FAULTS) {
  Deno.test({
    name: `the doctor names a service ${name}`,
    ignore: !IS_SYSTEMD,
    fn: async () => {
      await using scene = await DoctorScene.open();
      await plant(await install(scene));
      const findings = await ofService(scene);
      const found = findings.find((finding) => text.test(finding.text));
      ok(found, `not found in ${JSON.stringify(findings, null, 1)}`);
      strictEqual(found.level, level);
      match(found.fix ?? "", fix);
    },
  });
}

Deno.test({
  name: "a healthy service is one line, and so is a missing one",
  ignore: !IS_SYSTEMD,
  fn: async () => {
    await using scene = await DoctorScene.open();
    const [none, ...others] = await ofService(scene);
    deepStrictEqual(others, []);
    strictEqual(none?.level, "ok");
    match(none.text, /none is installed: tc service install/);
    const { plan } = await install(scene);
    deepStrictEqual(await ofService(scene), [
      { level: "ok", topic: "service", text: plan.file, fix: null },
    ]);
  },
});

Deno.test({
  name: "a systemd that does not answer is reported, not as an error",
  ignore: !IS_SYSTEMD,
  fn: async () => {
    await using scene = await DoctorScene.open();
    await install(scene);
    const refusal = "echo 'Failed to connect to bus' >&2; exit 1";
    await scene.program("systemctl", `#!/bin/sh\n${refusal}\n`);
    const findings = await ofService(scene);
    deepStrictEqual(findings.map(({ level }) => level), ["ok"]);
    match(findings[0]?.text ?? "", /systemd does not answer/);
  },
});

/** What ties the vault to a machine, on each system. */

import {
  deepStrictEqual,
  match,
  rejects,
  strictEqual,
} from "node:assert/strict";
import type { CommandOutcome, CommandRunner } from "../../src/ports.ts";
import {
  type MachineBinding,
  readMachineId,
  readMachineSecret,
} from "../../src/store/vault/machine_secret.ts";
import { openVault } from "../../src/store/vault/open_vault.ts";
import { NO_MACHINE_ID } from "../../src/store/vault/vault_cipher.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { MACHINE, oauthEntry } from "../fixtures/vault_kit.ts";

const ID = "0AB5-FAKE";
const SAID = {
  darwin: `    "IOPlatformUUID" = "${ID}"\n`,
  windows: `    MachineGuid    REG_SZ    ${ID}\n`,
} as const;
const NOTHING: readonly CommandOutcome[] = [
  { kind: "timed_out" },
  { kind: "missing" },
  { kind: "exited", code: 1, stdout: "", stderr: "refused" },
  { kind: "exited", code: 0, stdout: "something else", stderr: "" },
];

/** A program that answers with each of `outcomes`, the last one for ever. */
class Answers implements CommandRunner {
  readonly asked: string[] = [];
  readonly #outcomes: readonly CommandOutcome[];

  constructor(outcomes: readonly CommandOutcome[]) {
    this.#outcomes = outcomes;
  }

  run(command: string): Promise<CommandOutcome> {
    this.asked.push(command);
    const index = Math.min(this.asked.length, this.#outcomes.length) - 1;
    return Promise.resolve(this.#outcomes[index] ?? { kind: "missing" });
  }
}

class Note implements MachineBinding {
  mark: string | null = null;

  read(): string | null {
    return this.mark;
  }

  write(mark: string): void {
    this.mark = mark;
  }
}

function ports(
  os: typeof Deno.build.os,
  outcomes: readonly CommandOutcome[],
  files: Readonly<Record<string, string>> = {},
) {
  return {
    os,
    runner: new Answers(outcomes),
    userName: "ada",
    readText: (path: string) => Promise.resolve(files[path] ?? null),
  };
}

for (const os of ["darwin", "windows"] as const) {
  const told: CommandOutcome = {
    kind: "exited",
    code: 0,
    stdout: SAID[os],
    stderr: "",
  };
  Deno.test(`${os}: a program that is slow once is asked again, and told is told`, async () => {
    const machine = ports(os, [{ kind: "timed_out" }, told]);
    deepStrictEqual(await readMachineId(machine), { kind: "told", id: ID });
    strictEqual(machine.runner.asked.length, 2);
  });

  for (const outcome of NOTHING) {
    Deno.test(`${os}: no id (${Deno.inspect(outcome)}) is an error and never a seal`, async () => {
      const note = new Note();
      await rejects(
        readMachineSecret(ports(os, [outcome]), MACHINE.vaultKey, note),
        (error: Error & { code?: string; hint?: string }) => {
          strictEqual(error.code, "machine_untold");
          match(
            error.message,
            /^Cannot open the vault now: (ioreg|reg) does not/,
          );
          match(error.hint ?? "", /^(ioreg -rd1|reg query) .*then try again$/);
          return true;
        },
      );
      strictEqual(note.mark, null);
    });
  }
}

Deno.test("linux: a system without an id binds the vault to the user alone", async () => {
  const machine = ports("linux", []);
  const secret = await readMachineSecret(machine, MACHINE.vaultKey, new Note());
  strictEqual(secret.machineId, NO_MACHINE_ID);
});

Deno.test("linux: an id, or a user's name, that was told before and is not now is an error", async () => {
  const note = new Note();
  const whole = ports("linux", [], { "/etc/machine-id": `${ID}\n` });
  const secret = await readMachineSecret(whole, MACHINE.vaultKey, note);
  strictEqual(secret.machineId, ID);
  match(note.mark ?? "", /^[0-9a-f]{64}$/);
  strictEqual(note.mark?.includes(ID), false);
  for (
    const less of [ports("linux", []), { ...whole, userName: null }]
  ) {
    await rejects(readMachineSecret(less, MACHINE.vaultKey, note), {
      code: "machine_untold",
    });
  }
  // Another machine, told in full: its entries say so one by one.
  const other = ports("linux", [], { "/etc/machine-id": "other" });
  await readMachineSecret(other, MACHINE.vaultKey, note);
});

Deno.test("what was added while the id was not told opens later, and is sealed anew", async () => {
  await using folder = new TempFolder();
  async function opened(secret: typeof MACHINE) {
    const { vault } = await openVault({
      folder: folder.path,
      secret,
      wanted: "file",
      mayPrompt: false,
      os: Deno.build.os,
    }, { clock: realClock, entropy: realEntropy, runner: null });
    return vault;
  }
  const lesser = await opened({
    ...MACHINE,
    machineId: NO_MACHINE_ID,
    userName: "user",
  });
  await lesser.put(oauthEntry("a", "1"));
  const { entries, damaged } = await (await opened(MACHINE)).list();
  deepStrictEqual([entries.length, damaged], [1, []]);
  // Sealed anew: without the id it does not open any more.
  strictEqual((await lesser.list()).entries.length, 0);
});

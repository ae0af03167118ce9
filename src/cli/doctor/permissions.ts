/**
 * `tc doctor --permissions`: what each part of tc may touch, and with
 * `--prove` what came of trying to get out.
 *
 * @module
 */

import type { FenceAttempt } from "../../server/fence.ts";
import { proveFence } from "../../server/fence_proof.ts";
import {
  type Grants,
  grantSources,
  workerGrants,
} from "../../server/permissions.ts";
import { EXIT } from "../../errors.ts";
import type { Shell } from "../shell.ts";

/** What the main thread holds and why; the compile script bakes it in. */
const MAIN_THREAD: readonly (readonly [kind: string, why: string])[] = [
  ["read, write", "your config, vault, log, and Claude Code's own files"],
  ["env", "all: tc run hands the environment on to Claude Code"],
  ["run", "claude, the keychain's tool, the browser, the service manager"],
  ["net", "asking a running server; given up while a server runs here"],
  ["sys", "your user name and id; given up while a server runs here"],
  ["ffi, import", "never: no native code, no code from outside"],
];

/** Prints the grants; the exit code tells whether the fence held. */
export async function showPermissions(
  shell: Shell,
  { isProof }: { readonly isProof: boolean },
): Promise<number> {
  const { output } = shell;
  const grants = workerGrants(grantSources(shell));
  const proof = isProof ? await proveFence(grants, shell.paths) : null;
  const attempts = [...proof?.worker ?? [], ...proof?.main ?? []];
  const hasHeld = attempts.every(({ outcome }) => outcome === "refused") &&
    (proof?.arrivals ?? 0) === 0;
  if (output.isJson) {
    output.json({
      schema: "tc.permissions/v1",
      server: grants,
      main: MAIN_THREAD.map(([kind, why]) => ({ kind, why })),
      proof: proof === null ? null : { ...proof, hasHeld },
    });
    return hasHeld ? EXIT.ok : EXIT.failed;
  }
  printGrants(shell, grants);
  if (proof !== null) {
    printAttempts(shell, "Tried by the server", proof.worker);
    printAttempts(shell, "Tried by the main thread", proof.main);
    output.line();
    output.line(
      hasHeld
        ? `All ${attempts.length} attempts were refused.`
        : "The fence did not hold: please report this.",
    );
  }
  return hasHeld ? EXIT.ok : EXIT.failed;
}

function printGrants({ output }: Shell, grants: Grants): void {
  output.line("The server, in a thread of its own:");
  for (const host of grants.net) output.line(`  net    ${host}`);
  for (const path of grants.read) {
    const isWritten = grants.write.includes(path);
    output.line(`  files  ${path}${isWritten ? "" : " (reading)"}`);
  }
  output.line("  never  env, run, sys, ffi, import");
  output.line();
  output.line("The main thread (command line, dashboard, start and stop):");
  for (const [kind, why] of MAIN_THREAD) {
    output.line(`  ${kind.padEnd(13)}${why}`);
  }
}

function printAttempts(
  { output }: Shell,
  title: string,
  attempts: readonly FenceAttempt[],
): void {
  output.line();
  output.line(`${title}:`);
  for (const { kind, what, outcome } of attempts) {
    const word = output.paint(outcome === "refused" ? "good" : "bad", outcome);
    output.line(`  ${word}  ${kind.padEnd(6)} ${what}`);
  }
}

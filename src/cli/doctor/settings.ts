/**
 * Checks what the settings and the environment name: variables that nobody
 * reads, and the program for notices.
 *
 * @module
 */

import { strayVariables } from "../../config/stray_variables.ts";
import { notifyProgramFault } from "../setup/notify_program.ts";
import { type DoctorContext, type Finding, warning } from "./finding.ts";

/** Checks for mistyped variables of tc. */
export function checkVariables(
  { variables }: DoctorContext,
): Promise<readonly Finding[]> {
  return Promise.resolve(
    strayVariables(Object.keys(variables)).map(({ name, nearest }) =>
      warning(
        "variables",
        `${name} is set, and no setting reads it`,
        nearest === null
          ? `unset it; tc config show --all   lists the settings`
          : `Did you mean ${nearest}?`,
      )
    ),
  );
}

/** Checks the program that gets notices. */
export function checkNotify(
  { shell, variables }: DoctorContext,
): Promise<readonly Finding[]> {
  const { command } = shell.config.settings.notify;
  const fault = command === "" ? null : notifyProgramFault(command, {
    path: variables["PATH"] ?? "",
    system: shell.system,
    extensions: shell.environment["PATHEXT"] ?? "",
  });
  return Promise.resolve(
    fault === null ? [] : [
      warning(
        "notices",
        `notify.command ${command} ${fault}`,
        "tc config set notify.command /path/of/a/program",
      ),
    ],
  );
}

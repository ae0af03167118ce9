/**
 * The functions `cl` and `cl-<name>`: text for a shell to evaluate at its start,
 * so that they follow the list of profiles. Pure.
 *
 * @module
 */

export const PROFILE_SHELLS = ["bash", "zsh", "fish", "powershell"] as const;
export type ProfileShell = typeof PROFILE_SHELLS[number];

/** The text for `shell`; `tc` is how the program is called there. */
export function shellFunctions(
  shell: ProfileShell,
  names: readonly string[],
  tc: string,
): string {
  const rows = [["cl", ""], ...names.map((name) => [`cl-${name}`, name])];
  const lines = rows.map(([call = "", name = ""]) =>
    definition(shell, { call, name, tc })
  );
  return `${lines.join("\n")}\n`;
}

function definition(
  shell: ProfileShell,
  { call, name, tc }: {
    readonly call: string;
    readonly name: string;
    readonly tc: string;
  },
): string {
  const profile = name === "" ? "--profile" : `--profile ${name}`;
  switch (shell) {
    case "bash":
    case "zsh":
      return `${call}() { ${tc} run ${profile} -- "$@"; }`;
    case "fish":
      return `function ${call}; ${tc} run ${profile} -- $argv; end`;
    case "powershell":
      return `function ${call} { & ${tc} run ${profile} -- @args }`;
  }
}

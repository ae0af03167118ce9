/**
 * Writes the functions `cl` and `cl-<name>` for a shell to evaluate at its
 * start, so that they follow the list of profiles. Pure. A name may hold any
 * character, so it is quoted as an argument and simplified in a function's
 * name.
 *
 * @module
 */

export const PROFILE_SHELLS = ["bash", "zsh", "fish", "powershell"] as const;
type ProfileShell = typeof PROFILE_SHELLS[number];

/** Returns the text for `shell`; `tc` is the command there. */
export function shellFunctions(
  shell: ProfileShell,
  names: readonly string[],
  tc: string,
): string {
  const calls = new Set(["cl"]);
  const rows = [
    ["cl", ""],
    ...names.map((name) => {
      const call = freeCall(`cl-${simplified(name)}`, calls);
      calls.add(call);
      return [call, name];
    }),
  ];
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
  const profile = name === ""
    ? "--profile"
    : `--profile ${quoted(shell, name)}`;
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

/**
 * Returns letters, digits, dots, - and _, which every shell allows in a
 * function's name.
 */
function simplified(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^-+|-+$/g, "") ||
    "profile";
}

function freeCall(wanted: string, taken: ReadonlySet<string>): string {
  let call = wanted;
  for (let count = 2; taken.has(call); count++) call = `${wanted}-${count}`;
  return call;
}

/** Returns a quoted word that the shell takes literally. */
function quoted(shell: ProfileShell, word: string): string {
  if (/^[A-Za-z0-9._@+-]+$/.test(word) && shell !== "powershell") return word;
  switch (shell) {
    case "bash":
    case "zsh":
      return `'${word.replaceAll("'", "'\\''")}'`;
    case "fish":
      return `'${word.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
    case "powershell":
      return `'${word.replaceAll("'", "''")}'`;
  }
}

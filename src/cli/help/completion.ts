/**
 * `tc completion`: prints the script that a shell evaluates. Each script runs
 * `tc __complete`, which prints one candidate per line, `word<TAB>help`.
 *
 * @module
 */

import { Argument, type Command } from "@commander-js/extra-typings";
import { EXIT } from "../../errors.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { evaluatedScript } from "../../shell_words.ts";

export const COMPLETION_SHELLS = ["bash", "zsh", "fish", "powershell"] as const;
type CompletionShell = typeof COMPLETION_SHELLS[number];

const BASH = `# tc completion for bash: eval "$(tc completion bash)"
_tc_complete() {
  local line
  COMPREPLY=()
  while IFS=$'\\t' read -r line _; do
    COMPREPLY+=("$(printf '%q' "$line")")
  done < <(tc __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _tc_complete tc
`;

const ZSH = `#compdef tc
# tc completion for zsh: eval "$(tc completion zsh)"
_tc() {
  local -a found
  local word help
  while IFS=$'\\t' read -r word help; do
    found+=("\${word//:/\\\\:}:$help")
  done < <(tc __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then
    _describe tc found
  else
    _files
  fi
}
if [ "$funcstack[1]" = "_tc" ]; then
  _tc "$@"
else
  compdef _tc tc
fi
`;

const FISH = `# tc completion for fish: tc completion fish | source
function __tc_complete
    set -l words (commandline -opc) (commandline -ct)
    tc __complete -- $words[2..-1] 2>/dev/null
end
complete -c tc -f -a '(__tc_complete)'
`;

const POWERSHELL = `# tc completion for PowerShell:
# tc completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName tc -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $typed = $commandAst.CommandElements | Select-Object -Skip 1
    $words = @($typed | ForEach-Object { $_.ToString() })
    if ($wordToComplete -eq '') { $words += '""' }
    tc __complete -- @words 2>$null | ForEach-Object {
        $word, $help = $_ -split "\`t", 2
        if (-not $help) { $help = $word }
        $text = $word
        if ($word -notmatch '^[\\w./:@%+=,-]+$') {
            $text = "'" + ($word -replace "(['\\u2018-\\u201b])", '$1$1') + "'"
        }
        [System.Management.Automation.CompletionResult]::new($text, $word, 'ParameterValue', $help)
    }
}
`;

/** Returns the script that `shell` evaluates. */
export function completionScript(shell: CompletionShell): string {
  switch (shell) {
    case "bash":
      return BASH;
    case "zsh":
      return ZSH;
    case "fish":
      return FISH;
    case "powershell":
      return POWERSHELL;
  }
}

const TEXT: CommandText = {
  name: "completion",
  group: "more",
  summary: "Print the completion script of a shell",
  examples: [
    (person) => evaluatedScript(person, "tc completion"),
    "tc completion zsh",
  ],
  schema: null,
};

export function registerCompletion(program: Command, registry: Registry): void {
  const shells = COMPLETION_SHELLS.join(", ");
  addCommand(program, registry, TEXT)
    .addArgument(
      new Argument("<shell>", `One of ${shells}`).choices(COMPLETION_SHELLS),
    )
    .action(registry.run((name) => {
      const { output } = new Shell(registry, {});
      output.raw(completionScript(name));
      return EXIT.ok;
    }));
}

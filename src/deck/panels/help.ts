/**
 * What every key does. Pure.
 *
 * @module
 */

export const HELP: readonly (readonly [keys: string, text: string])[] = [
  ["j k ↓ ↑", "move in a list; g G to its ends; Ctrl-L draws anew"],
  ["Tab", "next list; Shift-Tab the one before"],
  ["Enter", "agents of an account; Esc takes the cursor away"],
  ["/", "filter by any word of a row"],
  ["e", "explain the row: why it is where it is"],
  ["s", "pin an account: new and returning work goes there"],
  ["a", "accounts: log in, import, key, rename, on/off, delete"],
  ["r", "remove an account"],
  ["p", "choose the policy"],
  ["R", "read config and accounts again"],
  ["i", "all issues, or the first eight"],
  ["b", "ring when somebody needs you, or be silent"],
  ["q", "leave; asks where that stops the server"],
  ["● ▲ ■ ◌ ○", "fine, careful, closed, unknown, off or in reserve"],
  ["█ ┃", "spent; where an even spend would be now"],
  ["↑ → ↓", "room to spare, on pace, ahead of it; then the reset"],
  ["► ◆", "needs you (pinned, on an account); two on one issue"],
  ["☂ ↳ ⚙ ~", "leads, works for one; a tool runs, the cache is warm"],
  ["tok $ hit", "sums since the server started, up says how long"],
  ["hit miss ✎", "read from cache, not in it, written anew"],
];

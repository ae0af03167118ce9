/**
 * One spelling for each file: where a file system takes capitals for small
 * letters, several paths name one file, and what tc keeps for a file must not
 * depend on how it was typed.
 *
 * @module
 */

import { dirname } from "node:path";

/** Returns what tells the file at a path from all others; null if none is there. */
type FileNumber = (path: string) => string | null;

/**
 * Returns the spelling that stands for all paths which differ from `path` in
 * case alone, if they name the same file; otherwise `path`. The file need not
 * exist: the nearest folder above it answers.
 */
export function oneSpelling(
  path: string,
  system: string,
  fileNumber: FileNumber = fileNumberOf,
): string {
  return isCaseBlind(path, system, fileNumber)
    ? path.normalize("NFC").toLowerCase()
    : path;
}

function isCaseBlind(
  path: string,
  system: string,
  fileNumber: FileNumber,
): boolean {
  // Windows says so of all its drives, and does not number every file.
  if (system === "windows") return true;
  const found = fileNumber(path);
  if (found !== null) return fileNumber(otherCase(path)) === found;
  const above = dirname(path);
  return above !== path && isCaseBlind(above, system, fileNumber);
}

/** Returns the path with small letters for capitals, and the reverse. */
function otherCase(path: string): string {
  const other = path.replace(
    /[a-z]/gi,
    (letter) =>
      letter === letter.toLowerCase()
        ? letter.toUpperCase()
        : letter.toLowerCase(),
  );
  // Without a letter there is no other spelling that could be tried.
  return other === path ? "" : other;
}

function fileNumberOf(path: string): string | null {
  try {
    const { dev, ino } = Deno.statSync(path);
    return ino === null ? null : `${dev}:${ino}`;
  } catch {
    // It does not exist, or may not be seen.
    return null;
  }
}

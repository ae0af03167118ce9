/**
 * Finds the word that was probably meant.
 *
 * @module
 */

/** Returns the one of `words` nearest to `word`, or null if none is near. */
export function nearest(
  word: string,
  words: readonly string[],
): string | null {
  let best: string | null = null;
  let least = Math.max(1, Math.floor(word.length / 2));
  for (const candidate of words) {
    const distance = editDistance(word, candidate);
    if (distance > least || (distance === least && best !== null)) continue;
    best = candidate;
    least = distance;
  }
  return best;
}

/** Returns the number of letters to insert, delete or replace (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const changed = (row[j - 1] ?? 0) + Number(from[i - 1] !== to[j - 1]);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, changed));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

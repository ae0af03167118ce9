/**
 * SHA-256 of a short text, for names. `node:crypto` takes longer to load than
 * the whole of a status line takes to make.
 *
 * @module
 */

/** The first 32 bits of the fractional parts of the primes' cube roots. */
const CONSTANTS = primes(64).map((prime) => fraction(Math.cbrt(prime)));
const START = primes(8).map((prime) => fraction(Math.sqrt(prime)));

const BLOCK = 64;

/** The digest of `text` in UTF-8, as hexadecimal digits. */
export function sha256Hex(text: string): string {
  const bytes = padded(new TextEncoder().encode(text));
  const view = new DataView(bytes.buffer);
  let state: readonly number[] = START;
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const words = Array.from(
      { length: 16 },
      (_, index) => view.getUint32(at + 4 * index),
    );
    state = withBlock(state, extended(words));
  }
  return state.map((word) => word.toString(16).padStart(8, "0")).join("");
}

function primes(count: number): readonly number[] {
  const found: number[] = [];
  for (let number = 2; found.length < count; number++) {
    if (found.every((prime) => number % prime !== 0)) found.push(number);
  }
  return found;
}

function fraction(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32);
}

/** A bit, zeros, and the length in bits at the end of the last block. */
function padded(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = Math.ceil((bytes.length + 9) / BLOCK) * BLOCK;
  const whole = new Uint8Array(length);
  whole.set(bytes);
  whole[bytes.length] = 0x80;
  new DataView(whole.buffer).setUint32(length - 4, bytes.length * 8);
  return whole;
}

function turned(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

function extended(words: readonly number[]): readonly number[] {
  const all = [...words];
  for (let index = 16; index < 64; index++) {
    const near = all[index - 2] ?? 0;
    const far = all[index - 15] ?? 0;
    const one = turned(near, 17) ^ turned(near, 19) ^ (near >>> 10);
    const two = turned(far, 7) ^ turned(far, 18) ^ (far >>> 3);
    all.push(
      (one + (all[index - 7] ?? 0) + two + (all[index - 16] ?? 0)) >>> 0,
    );
  }
  return all;
}

function withBlock(
  state: readonly number[],
  words: readonly number[],
): readonly number[] {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  words.forEach((word, index) => {
    const high = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
    const choice = (e & f) ^ (~e & g);
    const one = (h + high + choice + (CONSTANTS[index] ?? 0) + word) >>> 0;
    const low = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
    const most = (a & b) ^ (a & c) ^ (b & c);
    [h, g, f, e, d, c, b, a] = [
      g,
      f,
      e,
      (d + one) >>> 0,
      c,
      b,
      a,
      (one + low + most) >>> 0,
    ];
  });
  return [a, b, c, d, e, f, g, h]
    .map((word, index) => (word + (state[index] ?? 0)) >>> 0);
}

/**
 * The data plane: which bytes a header line may hold (RFC 9110 5.5, 5.6.2).
 *
 * @module
 */

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
const DELETE = 0x7f;

/** 1 for each byte that a header name, a method or another token may hold. */
export const IS_TOKEN: Uint8Array = tableOf((byte) =>
  /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte))
);

/** 1 for each byte that a header value may hold: no control but the tab. */
export const IS_VALUE: Uint8Array = tableOf((byte) =>
  byte === TAB || (byte >= SPACE && byte !== DELETE)
);

function tableOf(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => holds(byte) ? 1 : 0);
}

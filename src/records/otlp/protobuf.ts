/**
 * OTLP messages in protobuf, from the objects of their JSON form (OTLP 1.7,
 * opentelemetry-proto). A table of fields is all that is needed: a library
 * would add more to the executable than the page.
 *
 * @module
 */

type Kind =
  | "string"
  | "bool"
  | "enum"
  /** Hex in JSON, bytes here: ids of traces and spans. */
  | "hex"
  /** A decimal text in JSON. */
  | "int64"
  | "fixed64"
  | "double"
  | "packed_fixed64"
  | "packed_double";

type Field = readonly [number: number, kind: Kind | Message];
type Message = Readonly<Record<string, Field>>;

const VALUE: Message = {
  stringValue: [1, "string"],
  boolValue: [2, "bool"],
  intValue: [3, "int64"],
  doubleValue: [4, "double"],
  arrayValue: [5, { values: [1, { stringValue: [1, "string"] }] }],
};

const ATTRIBUTE: Message = { key: [1, "string"], value: [2, VALUE] };
const RESOURCE: Message = { attributes: [1, ATTRIBUTE] };
const SCOPE: Message = { name: [1, "string"], version: [2, "string"] };

const SPAN: Message = {
  traceId: [1, "hex"],
  spanId: [2, "hex"],
  parentSpanId: [4, "hex"],
  name: [5, "string"],
  kind: [6, "enum"],
  startTimeUnixNano: [7, "fixed64"],
  endTimeUnixNano: [8, "fixed64"],
  attributes: [9, ATTRIBUTE],
  status: [15, { message: [2, "string"], code: [3, "enum"] }],
};

/** ExportTraceServiceRequest. */
export const TRACES: Message = {
  resourceSpans: [1, {
    resource: [1, RESOURCE],
    scopeSpans: [2, { scope: [1, SCOPE], spans: [2, SPAN] }],
  }],
};

const POINT: Message = {
  startTimeUnixNano: [2, "fixed64"],
  timeUnixNano: [3, "fixed64"],
  asDouble: [4, "double"],
  attributes: [7, ATTRIBUTE],
};

const HISTOGRAM_POINT: Message = {
  startTimeUnixNano: [2, "fixed64"],
  timeUnixNano: [3, "fixed64"],
  count: [4, "fixed64"],
  sum: [5, "double"],
  bucketCounts: [6, "packed_fixed64"],
  explicitBounds: [7, "packed_double"],
  attributes: [9, ATTRIBUTE],
};

const METRIC: Message = {
  name: [1, "string"],
  description: [2, "string"],
  unit: [3, "string"],
  gauge: [5, { dataPoints: [1, POINT] }],
  sum: [7, {
    dataPoints: [1, POINT],
    aggregationTemporality: [2, "enum"],
    isMonotonic: [3, "bool"],
  }],
  histogram: [9, {
    dataPoints: [1, HISTOGRAM_POINT],
    aggregationTemporality: [2, "enum"],
  }],
};

/** ExportMetricsServiceRequest. */
export const METRICS: Message = {
  resourceMetrics: [1, {
    resource: [1, RESOURCE],
    scopeMetrics: [2, { scope: [1, SCOPE], metrics: [2, METRIC] }],
  }],
};

const VARINT = 0;
const BITS64 = 1;
const BYTES = 2;

const TEXT = new TextEncoder();

/** Returns `value` as a message of that kind. */
export function protobuf(value: object, message: Message): Uint8Array {
  return Uint8Array.from(bytesOf(value, message));
}

function bytesOf(value: object, message: Message): number[] {
  const bytes: number[] = [];
  for (const [name, one] of Object.entries(value)) {
    const field = message[name];
    if (field === undefined || one === undefined || one === null) continue;
    const [number, kind] = field;
    const isPacked = kind === "packed_fixed64" || kind === "packed_double";
    const all = Array.isArray(one) && !isPacked ? one : [one];
    for (const each of all) append(bytes, number, kind, each);
  }
  return bytes;
}

function append(
  bytes: number[],
  number: number,
  kind: Kind | Message,
  value: unknown,
): void {
  if (typeof kind === "object") {
    return block(bytes, number, bytesOf(Object(value), kind));
  }
  switch (kind) {
    case "string":
      return block(bytes, number, TEXT.encode(String(value)));
    case "hex":
      return block(bytes, number, hex(String(value)));
    case "bool":
      varint(bytes, BigInt(number << 3 | VARINT));
      return varint(bytes, value === true ? 1n : 0n);
    case "enum":
    case "int64":
      varint(bytes, BigInt(number << 3 | VARINT));
      return varint(bytes, BigInt.asUintN(64, BigInt(String(value))));
    case "fixed64":
    case "double":
      varint(bytes, BigInt(number << 3 | BITS64));
      return extend(bytes, eight(kind, value));
    case "packed_fixed64":
    case "packed_double": {
      const one = kind === "packed_double" ? "double" : "fixed64";
      const all = (value as readonly unknown[]).flatMap((each) => [
        ...eight(one, each),
      ]);
      return block(bytes, number, all);
    }
  }
}

function block(bytes: number[], number: number, part: ArrayLike<number>): void {
  varint(bytes, BigInt(number << 3 | BYTES));
  varint(bytes, BigInt(part.length));
  extend(bytes, part);
}

/** Spreading a long list into push() would overflow the stack. */
function extend(bytes: number[], part: ArrayLike<number>): void {
  for (let at = 0; at < part.length; at++) bytes.push(part[at] ?? 0);
}

function varint(bytes: number[], value: bigint): void {
  let rest = value;
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
}

function eight(kind: "fixed64" | "double", value: unknown): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  if (kind === "double") view.setFloat64(0, Number(value), true);
  else view.setBigUint64(0, BigInt(String(value)), true);
  return new Uint8Array(view.buffer);
}

function hex(text: string): number[] {
  return (text.match(/../g) ?? []).map((pair) => parseInt(pair, 16));
}

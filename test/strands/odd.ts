/** Texts that a person, a model or an error may hold. None is refused. */
export const oddTexts: readonly string[] = [
  "",
  "plain",
  "NUL \u0000 inside",
  "half an emoji \ud83d",
  "\udc00 the other half",
  "right to left \u202e and back",
  '{"looks": "like JSON"}',
  "line\nbreak\r\n\ttab",
  "x".repeat(20_000),
  "__proto__",
  "👩‍👩‍👧‍👦",
  "'; DROP TABLE thread_items; --",
  "\uffff\ufffe",
  "\u001b[31mred\u001b[0m",
  "undefined",
  "0",
];

class Opaque {
  readonly secret = 1;
}

function cycle(): object {
  const self: Record<string, unknown> = {};
  return Object.assign(self, { self });
}

/** What an action may return: JSON, what has a JSON form, and what has none. */
export const oddValues: readonly (() => unknown)[] = [
  () => "a text",
  () => undefined,
  () => null,
  () => new Date(0),
  () => new Date(Number.NaN),
  () => Number.NaN,
  () => 10n ** 30n,
  () => new Map([["a", new Set([1])]]),
  () => new Opaque(),
  () => "half \ud83d and NUL \u0000",
  () => ({ "\u0000\ud800": "odd key" }),
  cycle,
  () => () => "a function",
  () => Symbol("s"),
  () => new Uint8Array([1, 2, 3]),
  () => ({
    toJSON() {
      throw new Error("no form");
    },
  }),
];

/** What an action may throw. */
export const oddErrors: readonly (() => unknown)[] = [
  ...oddTexts.map((text) => () => new Error(text)),
  () => undefined,
  () => "a text",
  cycle,
];

export const pick = <T>(from: readonly T[], index: number): T => from[index % from.length]!;

import fc from "fast-check";
import type { Chunk } from "./mock-model.ts";
import { finishV3, usageV3 } from "./mock-model.ts";
import { json } from "./transcripts.fixture.ts";

type Metadata = NonNullable<Extract<Chunk, { type: "text-start" }>["providerMetadata"]>;

const metadata = fc
  .option(fc.dictionary(fc.constantFrom("acme", "other"), fc.record({ item: json })), { nil: undefined })
  .map((value) => (value === undefined ? {} : { providerMetadata: value as Metadata }));
const kind = fc.constantFrom("text" as const, "reasoning" as const);
const id = fc.constantFrom("0", "1");
const callId = fc.constantFrom("c-0", "c-1", "c-2", "", "c\u0000", "\ud800");
// Halves of characters too: models stream tokens.
const words = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom("", "\ud83d", "\ude00"));
const input = fc.oneof(
  json.map((value) => JSON.stringify(value)),
  fc.string(),
  fc.constantFrom(
    "",
    " \n",
    "{}",
    '{"id":"a"}',
    '{"id":',
    "null",
    '"{}"',
    '{"id":"\\ud800"}',
    '{"__proto__":{"a":1}}',
    '{"\\u005f_proto__":1}',
    '{"a":[{"constructor":{"prototype":{}}}]}',
    '{"constructor":1}',
    '{"constructor":{}}',
    '{"a":"__proto__"}',
  ),
);
const toolName = fc.constantFrom("find", "note", "web_search", "unknown");

type Move = (open: Set<string>) => Chunk[];
const always = (chunk: fc.Arbitrary<object>): fc.Arbitrary<Move> => chunk.map((made) => () => [made as Chunk]);

const moves: fc.Arbitrary<Move>[] = [
  fc.tuple(kind, id, metadata).map(([kind, id, metadata]) => (open) => {
    if (open.has(kind + id)) return [];
    open.add(kind + id);
    return [{ type: `${kind}-start`, id, ...metadata }];
  }),
  ...Array.from({ length: 3 }, () =>
    fc.tuple(kind, id, words, metadata).map(([kind, id, delta, metadata]): Move => (open) => {
      const begun = open.has(kind + id) ? [] : [{ type: `${kind}-start`, id } as const];
      open.add(kind + id);
      return [...begun, { type: `${kind}-delta`, id, delta, ...metadata }];
    }),
  ),
  fc.tuple(kind, id, metadata).map(
    ([kind, id, metadata]) =>
      (open) =>
        open.delete(kind + id) ? [{ type: `${kind}-end`, id, ...metadata }] : [],
  ),
  always(fc.record({ type: fc.constant("tool-input-start"), id: callId, toolName })),
  always(fc.record({ type: fc.constant("tool-input-delta"), id: callId, delta: input })),
  always(fc.record({ type: fc.constant("tool-input-end"), id: callId })),
  ...Array.from({ length: 2 }, () =>
    always(
      fc
        .tuple(
          fc.record({ type: fc.constant("tool-call"), toolCallId: callId, toolName, input }),
          fc.constantFrom({}, { providerExecuted: true }, { providerExecuted: true, dynamic: true }),
          metadata,
        )
        .map(([call, how, metadata]) => ({ ...call, ...how, ...metadata })),
    ),
  ),
  always(
    fc.record({
      type: fc.constant("tool-result"),
      toolCallId: callId,
      toolName,
      result: json,
      isError: fc.constantFrom(undefined, true, false),
    }),
  ),
  always(
    fc
      .tuple(
        fc.record({ type: fc.constant("source"), sourceType: fc.constant("url"), id, url: fc.webUrl() }),
        fc.constantFrom({}, { title: "Title" }),
        metadata,
      )
      .map((parts) => Object.assign({}, ...parts) as object),
  ),
  always(
    fc.record({
      type: fc.constant("source"),
      sourceType: fc.constant("document"),
      id,
      mediaType: fc.constant("text/plain"),
      title: fc.string(),
    }),
  ),
  always(
    fc
      .tuple(
        fc.record({
          type: fc.constant("file"),
          mediaType: fc.constant("image/png"),
          data: fc.oneof(fc.base64String(), fc.uint8Array()),
        }),
        metadata,
      )
      .map((parts) => Object.assign({}, ...parts) as object),
  ),
  always(fc.record({ type: fc.constant("response-metadata"), modelId: fc.constantFrom(undefined, "acme-1-2026") })),
  always(fc.constant({ type: "raw", rawValue: {} })),
];

/** What fails an answer, seldom. */
const broken: fc.Arbitrary<Move> = always(
  fc.oneof(
    fc.record({
      type: fc.constant("error"),
      error: fc.constantFrom<unknown>("overloaded", new TypeError("terminated"), { message: "busy" }),
    }),
    fc.record({
      type: fc.constantFrom("text-delta", "reasoning-delta"),
      id: fc.constant("never begun"),
      delta: fc.constant("?"),
    }),
    fc.record({ type: fc.constantFrom("text-end", "reasoning-end"), id: fc.constant("never begun") }),
  ),
);

const count = fc.option(fc.nat(1_000), { nil: undefined });
const finish = fc
  .record({
    unified: fc.constantFrom(
      "stop" as const,
      "tool-calls" as const,
      "length" as const,
      "content-filter" as const,
      "error" as const,
      "other" as const,
    ),
    raw: fc.constantFrom(undefined, "END"),
    input: count,
    output: count,
    cacheRead: count,
    reasoning: count,
    metadata,
    report: fc.constantFrom({}, { raw: { prompt_tokens: 7 } }),
  })
  .map(({ unified, raw, input, output, cacheRead, reasoning, metadata, report }): Chunk => {
    const { inputTokens, outputTokens } = usageV3(input, output);
    return {
      ...finishV3(),
      type: "finish",
      finishReason: { unified, raw },
      usage: { inputTokens: { ...inputTokens, cacheRead }, outputTokens: { ...outputTokens, reasoning }, ...report },
      ...metadata,
    } as Chunk;
  });

/** What a provider may stream in one answer, well or badly. */
export const answers: fc.Arbitrary<Chunk[]> = fc
  .tuple(
    fc.array(fc.oneof(...moves), { maxLength: 20, size: "max" }),
    fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: broken }),
    fc.option(finish, { nil: undefined, freq: 8 }),
  )
  .map(([moves, broken, finish]) => {
    const open = new Set<string>();
    const content = [...moves, ...(broken === undefined ? [] : [broken])].flatMap((move) => move(open));
    return [{ type: "stream-start", warnings: [] }, ...content, ...(finish === undefined ? [] : [finish])];
  });

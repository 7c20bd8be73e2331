import { HebraError, type JsonObject } from "@hebra/core";
import {
  jsonSchema,
  NoOutputGeneratedError,
  Output,
  stepCountIs,
  streamText,
  tool,
  type LanguageModelUsage,
  type StepResult,
  type TextStreamPart,
  type ToolSet,
} from "ai";
import { MockLanguageModelV3 } from "ai/test";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { assertEventOrder } from "../check-events.ts";
import type { ReactorEvent } from "../events.ts";
import { createReactorInput, type ReactorInputOverrides } from "../testing/input.ts";
import { answers } from "./answers.fixture.ts";
import { toModelMessages } from "./messages.ts";
import { callChunk, finishV3, modelOf, type Chunk, type ModelCallOptions } from "./mock-model.ts";
import type { AiSdkReactorOptions } from "./options.ts";
import { aiSdkReactor } from "./reactor.ts";
import { transcripts } from "./transcripts.fixture.ts";

/** One step as it came out. */
interface Outcome {
  events: ReactorEvent[];
  failure?: { code: string; message: string; retryable: boolean; details: object };
  /** What the model was asked, but for the signal. */
  asked?: Omit<ModelCallOptions, "abortSignal"> | undefined;
  /** Of a step that did not fail: what was said, and what it cost. */
  account?: { said: string[]; usage: object } | undefined;
}

/** A model that takes links as they are. */
const who = { provider: "acme.chat", modelId: "acme-1", supportedUrls: { "*/*": [/./] } };

async function play(
  model: MockLanguageModelV3,
  input: ReactorInputOverrides,
  options: AiSdkReactorOptions,
): Promise<Outcome> {
  const events: ReactorEvent[] = [];
  try {
    for await (const event of aiSdkReactor({ ...options, model }).react(createReactorInput(input))) events.push(event);
    assertEventOrder(events);
    return { events, account: accountOf(events) };
  } catch (error) {
    if (!HebraError.isInstance(error)) throw error;
    const { code, message, retryable, details } = error;
    return { events, failure: { code, message, retryable, details } };
  }
}

function askedOf({ doStreamCalls }: MockLanguageModelV3): Outcome["asked"] {
  expect(doStreamCalls.length).toBeLessThan(2);
  if (doStreamCalls[0] === undefined) return undefined;
  const { abortSignal, ...asked } = doStreamCalls[0];
  expect(abortSignal).toBeInstanceOf(AbortSignal);
  return asked;
}

function accountOf(events: readonly ReactorEvent[]): Outcome["account"] {
  const said = new Map<string, { kind: string; text: string; metadata?: object }>();
  for (const event of events) {
    if (event.type === "part-start") said.set(event.partId, { kind: event.kind, text: "" });
    if (event.type === "part-delta") said.get(event.partId)!.text += event.delta;
    if (event.type === "part-end" && event.providerMetadata !== undefined)
      said.get(event.partId)!.metadata = event.providerMetadata;
  }
  return {
    said: Array.from(said.values(), (part) => JSON.stringify(part)).toSorted(),
    usage: events.find((event) => event.type === "usage")!.usage,
  };
}

/** The same from what `streamText` itself keeps of a step. */
function theirAccountOf({ content, usage, response }: StepResult<ToolSet>): Outcome["account"] {
  const said = content
    .filter((part) => part.type === "text" || part.type === "reasoning")
    .map(({ type, text, providerMetadata = {} }) => ({
      kind: type,
      text: text.toWellFormed(),
      ...(Object.keys(providerMetadata).length === 0 ? {} : { metadata: providerMetadata }),
    }))
    .filter(({ text, ...part }) => text !== "" || "metadata" in part);
  const { inputTokens = usage.raw?.["prompt_tokens"], outputTokens, inputTokenDetails, outputTokenDetails } = usage;
  const counts = {
    inputTokens,
    outputTokens,
    cachedInputTokens: inputTokenDetails.cacheReadTokens,
    reasoningTokens: outputTokenDetails.reasoningTokens,
  };
  return {
    said: said.map((part) => JSON.stringify(part)).toSorted(),
    usage: { ...counts, provider: who.provider, model: response.modelId },
  };
}

/** The way of the reactor. */
async function ours(
  chunks: readonly Chunk[],
  input: ReactorInputOverrides,
  options: AiSdkReactorOptions = {},
): Promise<Outcome> {
  const model = new MockLanguageModelV3({ ...who, doStream: modelOf(chunks).doStream });
  const outcome = await play(model, input, options);
  return { ...outcome, asked: askedOf(model) };
}

/**
 * The same question put with `streamText` by hand; what that makes of the answer goes on as if the model had streamed
 * it.
 */
async function theirs(
  chunks: readonly Chunk[],
  input: ReactorInputOverrides,
  options: AiSdkReactorOptions = {},
): Promise<Outcome> {
  const asked = new MockLanguageModelV3({ ...who, doStream: modelOf(chunks).doStream });
  const { transcript, instructions, actions, actionChoice = "auto", outputSchema, limits } = createReactorInput(input);
  const messages = await toModelMessages(transcript, { provider: who.provider });
  const tools = {
    ...Object.fromEntries(
      actions.map(({ name, description, inputSchema }) => [
        name,
        tool({ description, inputSchema: jsonSchema(inputSchema) }),
      ]),
    ),
    ...options.providerTools,
  } as ToolSet;
  const { providerTools: _, ...settings } = options;
  let account: Outcome["account"];
  const model = new MockLanguageModelV3({
    ...who,
    async doStream({ abortSignal }) {
      const { fullStream } = streamText({
        ...(settings as object),
        model: asked,
        abortSignal: abortSignal!,
        messages,
        allowSystemInMessages: true,
        stopWhen: stepCountIs(1),
        maxRetries: 0,
        onError: () => {},
        onStepFinish: (step) => void (account = theirAccountOf(step)),
        ...limits,
        ...(instructions === undefined ? {} : { system: instructions }),
        ...(Object.keys(tools).length === 0
          ? {}
          : {
              tools,
              toolChoice:
                typeof actionChoice === "string" ? actionChoice : { type: "tool", toolName: actionChoice.action },
            }),
        ...(outputSchema === undefined
          ? {}
          : {
              output: {
                ...Output.text(),
                responseFormat: Promise.resolve({ type: "json" as const, schema: outputSchema }),
              },
            }),
      });
      return {
        stream: fullStream.pipeThrough(
          new TransformStream<TextStreamPart<ToolSet>, Chunk>({
            transform: (part, controller) => toChunks(part).forEach((chunk) => controller.enqueue(chunk)),
          }),
        ),
      };
    },
  });
  const outcome = await play(model, input, options);
  return { ...outcome, asked: askedOf(asked), account: outcome.failure === undefined ? account : undefined };
}

/** A part of `streamText` in the words of providers. */
function toChunks(part: TextStreamPart<ToolSet>): Chunk[] {
  switch (part.type) {
    case "text-delta":
    case "reasoning-delta": {
      const { text, ...rest } = part;
      return [{ ...rest, delta: text } as Chunk];
    }
    case "file":
      return [
        {
          type: "file",
          mediaType: part.file.mediaType,
          data: part.file.base64,
          ...(part.providerMetadata && { providerMetadata: part.providerMetadata }),
        },
      ];
    case "tool-call":
      return [{ ...(part as object), input: JSON.stringify(part.input) } as Chunk];
    case "tool-result":
      return [
        {
          type: "tool-result",
          toolCallId: part.toolCallId,
          toolName: part.toolName,
          result: part.output as JsonObject,
        },
      ];
    case "tool-error":
      // It makes up errors for the calls that it could not parse itself.
      return part.providerExecuted === true
        ? [
            {
              type: "tool-result",
              toolCallId: part.toolCallId,
              toolName: part.toolName,
              result: part.error as JsonObject,
              isError: true,
            },
          ]
        : [];
    case "tool-approval-request":
      return [{ type: "tool-approval-request", approvalId: part.approvalId, toolCallId: part.toolCall.toolCallId }];
    case "finish-step":
      // It makes up an end when there was none, with a usage that lacks what every real one has.
      if (!("cachedInputTokens" in part.usage)) return [];
      return [
        { type: "response-metadata", modelId: part.response.modelId },
        {
          type: "finish",
          finishReason: { unified: part.finishReason, raw: part.rawFinishReason },
          usage: toUsage(part.usage),
          ...(part.providerMetadata && { providerMetadata: part.providerMetadata }),
        },
      ];
    case "text-start":
    case "text-end":
    case "reasoning-start":
    case "reasoning-end":
    case "source":
      return [part as Chunk];
    case "error":
      // Its word for a stream that ended with nothing in it.
      return NoOutputGeneratedError.isInstance(part.error) ? [] : [part];
    default:
      return [];
  }
}

function toUsage({
  inputTokens,
  inputTokenDetails,
  outputTokens,
  outputTokenDetails,
  raw,
}: LanguageModelUsage): Extract<Chunk, { type: "finish" }>["usage"] {
  return {
    inputTokens: {
      total: inputTokens,
      noCache: inputTokenDetails.noCacheTokens,
      cacheRead: inputTokenDetails.cacheReadTokens,
      cacheWrite: inputTokenDetails.cacheWriteTokens,
    },
    outputTokens: {
      total: outputTokens,
      text: outputTokenDetails.textTokens,
      reasoning: outputTokenDetails.reasoningTokens,
    },
    ...(raw === undefined ? {} : { raw }),
  };
}

/**
 * What is compared: `streamText` lets failures of the provider's own tools overtake other parts, and takes no input for
 * `{}`
 * with tools that it knows, but for a text with others.
 */
function comparable({ events, ...rest }: Outcome): object {
  const results = events
    .filter((event) => event.type === "action-result")
    .toSorted((a, b) => (a.callId < b.callId ? -1 : 1));
  const others = events
    .filter(({ type }) => type !== "action-result")
    .map((event) =>
      event.type === "action-request" && typeof event.input === "string" && event.input.trim() === ""
        ? { ...event, input: {} }
        : event,
    );
  return { ...rest, events: others, results };
}

const action = (name: string) => ({
  name,
  description: `${name}s.`,
  inputSchema: { type: "object", properties: { id: { type: "string" } } },
});
const webSearch = tool({
  type: "provider",
  id: "acme.web_search",
  args: { country: "NL" },
  inputSchema: jsonSchema({ type: "object" }),
  outputSchema: jsonSchema({}),
});
const shell = tool({
  description: "Runs.",
  inputSchema: jsonSchema({ type: "object" }),
  strict: true,
  providerOptions: { acme: { cache: true } },
});

const inputs = fc.record(
  {
    transcript: transcripts,
    instructions: fc.constantFrom("Be brief.", "Be long."),
    actions: fc.subarray([action("find"), action("note")]),
    actionChoice: fc.constantFrom("auto" as const, "required" as const, { action: "find" }),
    outputSchema: fc.constant({ type: "object" }),
    limits: fc.constant({ maxOutputTokens: 50 }),
  },
  { requiredKeys: ["transcript"] },
);
const settings = fc.record(
  {
    temperature: fc.constant(0.5),
    topP: fc.constant(0.9),
    topK: fc.constant(4),
    presencePenalty: fc.constant(0.1),
    frequencyPenalty: fc.constant(0.2),
    stopSequences: fc.constant(["END"]),
    seed: fc.constant(7),
    headers: fc.constant({ "x-team": "a" }),
    providerOptions: fc.constant({ acme: { effort: "low" } }),
    providerTools: fc.constantFrom({ web_search: webSearch }, { shell }, { web_search: webSearch, find: shell }),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<AiSdkReactorOptions>;

describe("a model that is asked without streamText", () => {
  it("is asked the same as streamText asks it, and its answer is understood the same", async () => {
    await fc.assert(
      fc.asyncProperty(answers, inputs, settings, async (chunks, input, options) => {
        const expected = comparable(await theirs(chunks, input, options));
        expect(comparable(await ours(chunks, input, options))).toEqual(expected);
        expect(comparable(await ours(chunks, input, { ...options, maxRetries: 1 }))).toEqual(expected);
      }),
      { seed: 44, numRuns: 150 },
    );
  });

  /** Where the two differ on purpose: what is true of a question put with `streamText`, and what of ours. */
  const searched = (extra: object = {}): Chunk =>
    ({ ...callChunk("w-1", "web_search", '{"q":"x"}'), providerExecuted: true, ...extra }) as Chunk;
  const found = (n: number, extra: object = {}): Chunk => ({
    type: "tool-result",
    toolCallId: "w-1",
    toolName: "web_search",
    result: { n },
    ...extra,
  });
  const text = (type: "text-start" | "text-end"): Chunk => ({ type, id: "0" });
  const said = (delta: string): Chunk => ({ type: "text-delta", id: "0", delta });
  const delta = (partId: string, delta: string) => [
    { type: "part-start", partId },
    { type: "part-delta", partId, delta },
  ];
  const strict = tool({
    type: "provider",
    id: "acme.web_search",
    args: {},
    inputSchema: z.object({ q: z.string() }),
    outputSchema: z.unknown(),
  });
  const request = (input: object | string) => ({ events: [{ type: "action-request", input }, {}, {}] });

  it.each<
    [
      what: string,
      chunks: Chunk[],
      input: ReactorInputOverrides,
      options: AiSdkReactorOptions,
      theirs: object,
      ours: object,
    ]
  >([
    [
      "a preliminary result is not the result",
      [searched({ dynamic: true }), found(1, { preliminary: true }), found(2), finishV3()],
      {},
      {},
      { events: [{}, { type: "action-result", output: { n: 1 } }, {}, {}] },
      { events: [{}, { type: "action-result", output: { n: 2 } }, {}, {}] },
    ],
    [
      "an answer that fails because it calls something against the choice is paid for",
      [callChunk("c", "find", "{}"), finishV3("stop", 5, 6)],
      { actions: [action("find")], actionChoice: "none" },
      {},
      {
        events: [],
        failure: { code: "REACTOR_FAILED", retryable: true, details: { error: "AI_ToolChoiceViolationError" } },
      },
      {
        events: [{ type: "usage", usage: { inputTokens: 5, outputTokens: 6 } }],
        failure: { code: "REACTOR_FAILED", retryable: true, details: { error: "forbidden-call" } },
      },
    ],
    [
      "a part that is begun again is ended then, not with the answer",
      [text("text-start"), said("a"), text("text-start"), said("b"), text("text-end"), finishV3()],
      {},
      {},
      {
        events: [
          ...delta("part-0", "a"),
          ...delta("part-1", "b"),
          { type: "part-end", partId: "part-1" },
          { type: "part-end", partId: "part-0" },
          {},
          {},
        ],
      },
      {
        events: [
          ...delta("part-0", "a"),
          { type: "part-end", partId: "part-0" },
          ...delta("part-1", "b"),
          { type: "part-end", partId: "part-1" },
          {},
          {},
        ],
      },
    ],
    [
      "the input of a provider's tool is what the model wrote, not what its schema makes of it",
      [callChunk("c", "web_search", '{"q":"x","extra":1}'), finishV3()],
      {},
      { providerTools: { web_search: strict } },
      request({ q: "x" }),
      request({ q: "x", extra: 1 }),
    ],
    [
      "no input is an empty object, also with a tool that nobody knows",
      [callChunk("c", "find", ""), finishV3()],
      {},
      {},
      request(""),
      request({}),
    ],
    [
      "a request for approval is refused also of a call that was not seen",
      [{ type: "tool-approval-request", approvalId: "a", toolCallId: "earlier" }, finishV3()],
      {},
      {},
      { failure: { code: "REACTOR_FAILED" } },
      { failure: { code: "UNSUPPORTED", retryable: false } },
    ],
  ])("differs: %s", async (_, chunks, input, options, expectedOfTheirs, expectedOfOurs) => {
    expect(await theirs(chunks, input, options)).toMatchObject(expectedOfTheirs);
    expect(await ours(chunks, input, options)).toMatchObject(expectedOfOurs);
    expect(await ours(chunks, input, { ...options, maxRetries: 1 })).toMatchObject(expectedOfOurs);
  });

  it("differs: a kind of part that is not known yet is passed over, where streamText does not stand between", async () => {
    const chunks = [{ type: "hologram" } as unknown as Chunk, finishV3()];
    expect(await theirs(chunks, {})).toMatchObject({ failure: { code: "REACTOR_FAILED" } });
    expect(await ours(chunks, {})).toMatchObject({ events: [{ type: "usage" }, { type: "finish", reason: "stop" }] });
  });
});

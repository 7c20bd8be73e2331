import { inspect } from "node:util";
import { createManualClock, HebraError, type JsonObject } from "@hebra/core";
import { jsonSchema, tool } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { assertEventOrder } from "../check-events.ts";
import type { ReactorEvent } from "../events.ts";
import { collectEvents, createReactorInput, type ReactorInputOverrides } from "../testing/input.ts";
import { apiError, callChunk, finishV3, modelOf, streamOf, textChunks, type Chunk } from "./mock-model.ts";
import type { AiSdkReactorOptions } from "./options.ts";
import { aiSdkReactor } from "./reactor.ts";

/** Plays one step of a model that streams these chunks. */
async function play(
  chunks: readonly Chunk[],
  input: ReactorInputOverrides = {},
  options: AiSdkReactorOptions = {},
): Promise<ReactorEvent[]> {
  const events = await collectEvents(
    aiSdkReactor({ model: modelOf(chunks, { provider: "acme.chat", modelId: "acme-1" }), ...options }).react(
      createReactorInput(input),
    ),
  );
  assertEventOrder(events);
  return events;
}

/** What the provider was asked in one step. */
async function asked(input: ReactorInputOverrides = {}, options: AiSdkReactorOptions = {}) {
  const model = modelOf([finishV3()]);
  await collectEvents(aiSdkReactor({ model, ...options }).react(createReactorInput(input)));
  expect(model.doStreamCalls).toHaveLength(1);
  return model.doStreamCalls[0]!;
}

const failureOf = async (events: AsyncIterable<ReactorEvent>): Promise<HebraError> => {
  const error: unknown = await collectEvents(events).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!HebraError.isInstance(error)) throw new Error(`not a typed failure: ${String(error)}`);
  return error;
};
const find = {
  name: "find",
  description: "Finds.",
  inputSchema: { type: "object", properties: { id: { type: "string" } } },
};

const printed = vi.fn();
beforeEach(() => {
  printed.mockClear();
  for (const method of ["error", "warn", "log", "info"] as const) vi.spyOn(console, method).mockImplementation(printed);
});
afterEach(() => {
  vi.restoreAllMocks();
  expect(printed).not.toHaveBeenCalled();
});

describe("what is asked of the provider", () => {
  it("is the system prompt, the conversation, the actions and nothing that was not set", async () => {
    const { abortSignal, ...call } = await asked({ instructions: "Be brief.", actions: [find] });
    expect(abortSignal).toBeInstanceOf(AbortSignal);
    expect(JSON.parse(JSON.stringify(call))).toEqual({
      includeRawChunks: false,
      prompt: [
        { role: "system", content: "Be brief." },
        { role: "user", content: [{ type: "text", text: "Hello." }] },
      ],
      tools: [{ type: "function", name: "find", description: "Finds.", inputSchema: find.inputSchema }],
      toolChoice: { type: "auto" },
    });
  });

  it("has the settings, the step's limit before the reactor's, and JSON of a schema", async () => {
    const outputSchema: JsonObject = { type: "object", properties: { a: { type: "string" } } };
    const settings = {
      temperature: 0.2,
      topP: 0.9,
      topK: 5,
      presencePenalty: 0.1,
      frequencyPenalty: 0.3,
      stopSequences: ["END"],
      seed: 7,
      providerOptions: { acme: { effort: "low" } },
    };
    expect(
      await asked(
        { outputSchema, limits: { maxOutputTokens: 50 } },
        { ...settings, maxOutputTokens: 100, headers: { "x-team": "a" } },
      ),
    ).toMatchObject({
      ...settings,
      maxOutputTokens: 50,
      headers: { "x-team": "a" },
      responseFormat: { type: "json", schema: outputSchema },
    });
    expect(await asked({}, { maxOutputTokens: 100 })).toMatchObject({ maxOutputTokens: 100 });
  });

  it.each([
    ["required", { type: "required" }],
    ["none", { type: "none" }],
    [{ action: "find" }, { type: "tool", toolName: "find" }],
  ] as const)("has the choice %j", async (actionChoice, toolChoice) => {
    expect(await asked({ actions: [find], actionChoice })).toMatchObject({ toolChoice });
    expect(await asked({ actionChoice })).not.toHaveProperty("toolChoice.type");
  });

  it("has the type of every action's input spelt out", async () => {
    const union = { anyOf: [{ type: "object" }, { type: "object" }] };
    expect(await asked({ actions: [{ ...find, inputSchema: union }] })).toMatchObject({
      tools: [{ inputSchema: { type: "object", ...union } }],
    });
  });

  it("goes to the reactor's model first, then to the definition's, or to the one chosen for the step", async () => {
    const [mine, theirs] = [modelOf([finishV3()]), modelOf([finishV3()])];
    const input = createReactorInput({ model: theirs });
    await collectEvents(aiSdkReactor({ model: mine }).react(input));
    expect([mine.doStreamCalls.length, theirs.doStreamCalls.length]).toEqual([1, 0]);
    await collectEvents(aiSdkReactor().react(input));
    expect([mine.doStreamCalls.length, theirs.doStreamCalls.length]).toEqual([1, 1]);
    await collectEvents(
      aiSdkReactor({ selectModel: async ({ ids }) => (ids.iteration === 0 ? mine : theirs) }).react(input),
    );
    expect([mine.doStreamCalls.length, theirs.doStreamCalls.length]).toEqual([2, 1]);
  });

  it("passes ids of models on to the AI SDK's global provider", async () => {
    const provider = { languageModel: vi.fn(() => modelOf([finishV3()])) };
    (globalThis as { AI_SDK_DEFAULT_PROVIDER?: unknown }).AI_SDK_DEFAULT_PROVIDER = provider;
    try {
      await collectEvents(aiSdkReactor({ model: "acme/acme-1" }).react(createReactorInput()));
      expect(provider.languageModel).toHaveBeenCalledWith("acme/acme-1");
    } finally {
      delete (globalThis as { AI_SDK_DEFAULT_PROVIDER?: unknown }).AI_SDK_DEFAULT_PROVIDER;
    }
  });
});

describe("options and models", () => {
  it.each<[unknown, string, RegExp]>([
    [
      { specificationVersion: "v9", provider: "acme", modelId: "m" },
      "MODEL_UNSUPPORTED",
      /acme m has the specification version v9; versions v2, v3 and v4/,
    ],
    [{ provider: "acme", modelId: "m" }, "MODEL_UNSUPPORTED", /no `specificationVersion`/],
    [() => modelOf([]), "MODEL_UNSUPPORTED", /not a function.*selectModel/],
    ["", "MODEL_UNSUPPORTED", /not an empty string/],
    [undefined, "MODEL_UNSUPPORTED", /No model is set/],
  ])("refuses the model %j", async (model, code, message) => {
    const expected = expect.objectContaining({
      code,
      retryable: false,
      message: expect.stringMatching(message) as string,
    }) as Error;
    await expect(collectEvents(aiSdkReactor().react(createReactorInput({ model })))).rejects.toEqual(expected);
    if (model !== undefined) expect(() => aiSdkReactor({ model: model as string })).toThrow(expected);
  });

  it.each<[object, RegExp]>([
    [{ temprature: 1 }, /did you mean `temperature`/],
    [{ maxRetries: -1 }, /maxRetries/],
    [{ model: "a/b", selectModel: () => "a/b" }, /exclude each other/],
    [{ silenceMs: 0 }, /`silenceMs`: Too small/],
    [{ readFile: "no" }, /`readFile`: must be a function/],
  ])("refuses the options %j", (options, message) => {
    expect(() => aiSdkReactor(options)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS", message: expect.stringMatching(message) as string }),
    );
  });
});

describe("what the provider answers", () => {
  it("keeps parts apart whose ids collide, leaves empty ones out, and brings metadata back", async () => {
    const events = await play([
      { type: "reasoning-start", id: "0" },
      { type: "text-start", id: "0", providerMetadata: { acme: { phase: "start" } } },
      { type: "reasoning-delta", id: "0", delta: "Hm." },
      { type: "text-delta", id: "0", delta: "Yes." },
      { type: "reasoning-end", id: "0", providerMetadata: { acme: { signature: "s" } } },
      { type: "text-end", id: "0" },
      { type: "text-start", id: "1" },
      { type: "text-end", id: "1" },
      { type: "reasoning-start", id: "2" },
      { type: "reasoning-end", id: "2", providerMetadata: { acme: { hidden: "h" } } },
      { type: "text-start", id: "0" },
      { type: "text-delta", id: "0", delta: "More." },
      finishV3("stop", 3, 4),
    ]);
    expect(events).toEqual([
      { type: "part-start", partId: "part-0", kind: "reasoning" },
      { type: "part-delta", partId: "part-0", delta: "Hm." },
      { type: "part-start", partId: "part-1", kind: "text" },
      { type: "part-delta", partId: "part-1", delta: "Yes." },
      { type: "part-end", partId: "part-0", providerMetadata: { acme: { signature: "s" } } },
      { type: "part-end", partId: "part-1", providerMetadata: { acme: { phase: "start" } } },
      { type: "part-start", partId: "part-2", kind: "reasoning" },
      { type: "part-end", partId: "part-2", providerMetadata: { acme: { hidden: "h" } } },
      { type: "part-start", partId: "part-3", kind: "text" },
      { type: "part-delta", partId: "part-3", delta: "More." },
      { type: "part-end", partId: "part-3" },
      { type: "usage", usage: { inputTokens: 3, outputTokens: 4, provider: "acme.chat", model: "acme-1" } },
      { type: "finish", reason: "stop" },
    ]);
  });

  it("has sources and files as whole parts", async () => {
    const events = await play([
      {
        type: "source",
        sourceType: "url",
        id: "s-1",
        url: "https://example.org/",
        title: "Example",
        providerMetadata: { acme: { rank: 1 } },
      },
      { type: "source", sourceType: "document", id: "s-2", mediaType: "application/pdf", title: "Manual" },
      { type: "file", mediaType: "image/png", data: "iVBORw0KGgo=" },
      { type: "file", mediaType: "image/png", data: new Uint8Array([1, 2]) },
      finishV3(),
    ]);
    expect(events.flatMap((event) => (event.type === "part" ? event.part : []))).toEqual([
      {
        kind: "source",
        id: "s-1",
        url: "https://example.org/",
        title: "Example",
        providerMetadata: { acme: { rank: 1 } },
      },
      { kind: "source", id: "s-2", title: "Manual" },
      { kind: "file", mediaType: "image/png", url: "data:image/png;base64,iVBORw0KGgo=" },
      { kind: "file", mediaType: "image/png", url: "data:image/png;base64,AQI=" },
    ]);
  });

  it.each<[Parameters<typeof finishV3>[0], boolean, string]>([
    ["stop", true, "actions"],
    ["other", true, "actions"],
    ["tool-calls", true, "actions"],
    ["length", true, "length"],
    ["content-filter", true, "content-filter"],
    ["stop", false, "stop"],
    ["tool-calls", false, "stop"],
    ["other", false, "other"],
    ["length", false, "length"],
  ])("ends %s, with calls: %s, as %s", async (unified, calls, reason) => {
    const events = await play([...(calls ? [callChunk("c", "find", "{}")] : []), finishV3(unified)], {
      actions: [find],
    });
    expect(events.at(-1)).toEqual({ type: "finish", reason });
  });

  it("requests calls with their metadata, with malformed input as text, and none of what the AI SDK makes of it", async () => {
    const events = await play(
      [
        { ...callChunk("c-1", "find", '{"id":"a"}'), providerMetadata: { acme: { sig: 1 } } } as Chunk,
        callChunk("c-2", "find", "{broken"),
        callChunk("c-3", "find", ""),
        callChunk("c-4", "find", '{"__proto__":{"a":1}}'),
        finishV3("tool-calls"),
      ],
      { actions: [find] },
    );
    expect(events.slice(0, -2)).toEqual([
      {
        type: "action-request",
        callId: "c-1",
        name: "find",
        input: { id: "a" },
        providerMetadata: { acme: { sig: 1 } },
      },
      { type: "action-request", callId: "c-2", name: "find", input: "{broken" },
      { type: "action-request", callId: "c-3", name: "find", input: {} },
      { type: "action-request", callId: "c-4", name: "find", input: '{"__proto__":{"a":1}}' },
    ]);
  });

  it("owns what the provider runs itself, results, failures and missing results included", async () => {
    const call = (id: string): Chunk =>
      ({
        ...callChunk(id, "web_search", '{"q":"x"}'),
        providerExecuted: true,
        providerMetadata: { acme: { item: id } },
      }) as Chunk;
    const result = (toolCallId: string, isError: boolean): Chunk => ({
      type: "tool-result",
      toolCallId,
      toolName: "web_search",
      result: isError ? { code: "busy" } : [{ title: "A" }],
      isError,
    });
    const search = tool({
      type: "provider",
      id: "acme.web_search",
      args: {},
      inputSchema: jsonSchema({ type: "object" }),
      outputSchema: jsonSchema({}),
    });
    const model = modelOf(
      [
        call("w-1"),
        call("w-2"),
        call("w-3"),
        result("w-1", false),
        result("w-2", true),
        ...textChunks("t", "Found."),
        finishV3(),
      ],
      { provider: "acme.chat" },
    );
    const reactor = aiSdkReactor({ model, providerTools: { web_search: search } });
    expect(reactor.runsActions).toBe(true);
    const events = await collectEvents(reactor.react(createReactorInput({ actions: [find] })));
    assertEventOrder(events);
    expect(events.filter(({ type }) => type === "action-request")).toEqual(
      ["w-1", "w-2", "w-3"].map((callId) => ({
        type: "action-request",
        callId,
        name: "web_search",
        input: { q: "x" },
        ownedByReactor: true,
        providerMetadata: { acme: { item: callId }, hebra: { provider: "acme.chat" } },
      })),
    );
    const results = events
      .filter((event) => event.type === "action-result")
      .toSorted((a, b) => a.callId.localeCompare(b.callId));
    expect(results).toEqual([
      { type: "action-result", callId: "w-1", status: "succeeded", output: [{ title: "A" }] },
      { type: "action-result", callId: "w-2", status: "failed", error: '{"code":"busy"}' },
      { type: "action-result", callId: "w-3", status: "failed", error: "The provider gave no result for this call." },
    ]);
    expect(events.at(-1)).toEqual({ type: "finish", reason: "stop" });
    expect(model.doStreamCalls[0]!.tools).toMatchObject([
      { name: "find" },
      { type: "provider", id: "acme.web_search" },
    ]);
  });

  it("never runs a tool, even one that could be run", async () => {
    const execute = vi.fn(() => "ran");
    const events = await play(
      [callChunk("c", "shell", "{}"), finishV3("tool-calls")],
      {},
      { providerTools: { shell: tool({ inputSchema: jsonSchema({ type: "object" }), execute, needsApproval: true }) } },
    );
    expect(execute).not.toHaveBeenCalled();
    expect(events.map(({ type }) => type)).toEqual(["action-request", "usage", "finish"]);
  });

  it("streams JSON as it comes", async () => {
    const pieces = ['{"a', '":"', "b", '"}'];
    const events = await play([...textChunks("t", ...pieces), finishV3()], { outputSchema: { type: "object" } });
    expect(events.flatMap((event) => (event.type === "part-delta" ? event.delta : []))).toEqual(pieces);
  });
});

describe("failures", () => {
  const failing = (error: unknown) =>
    aiSdkReactor({ model: new MockLanguageModelV3({ doStream: () => Promise.reject(error as Error) }) });

  it("say whether and when to try again, and nothing of the request", async () => {
    const busy = await failureOf(failing(apiError(429, { "Retry-After": "7" })).react(createReactorInput()));
    expect(busy).toMatchObject({
      code: "REACTOR_FAILED",
      retryable: true,
      details: { error: "AI_APICallError", status: 429, retryAfterMs: 7000 },
    });
    expect(busy.message).toBe("The model call failed with status 429: Call to https://api.example.org/v1/chat refused");
    const shown =
      inspect(busy, { depth: 10, showHidden: true }) + JSON.stringify(busy) + String((busy.cause as Error).stack);
    for (const secret of ["hunter2", "AIzaSyD", "sk-live", "secret-cookie", "private words", "private answer", "?key="])
      expect(shown).not.toContain(secret);
    expect(await failureOf(failing(apiError(401)).react(createReactorInput()))).toMatchObject({
      retryable: false,
      details: { status: 401 },
    });
  });

  it("are not repeated, unless the AI SDK is told to", async () => {
    const doStream = vi.fn<MockLanguageModelV3["doStream"]>(() =>
      Promise.reject(apiError(500, { "retry-after-ms": "1" })),
    );
    const error = await failureOf(
      aiSdkReactor({ model: new MockLanguageModelV3({ doStream }) }).react(createReactorInput()),
    );
    expect([doStream.mock.calls.length, error.details["retryAfterMs"]]).toEqual([1, 1]);
    doStream.mockClear();
    const tried = await failureOf(
      aiSdkReactor({ model: new MockLanguageModelV3({ doStream }), maxRetries: 1 }).react(createReactorInput()),
    );
    expect([doStream.mock.calls.length, tried.details["status"]]).toEqual([2, 500]);
  });

  it("include a stream that breaks off, with or without content", async () => {
    for (const chunks of [[], textChunks("t", "Half")]) {
      const error = await failureOf(aiSdkReactor({ model: modelOf(chunks) }).react(createReactorInput()));
      expect(error).toMatchObject({ code: "REACTOR_FAILED", retryable: true });
    }
    const proper: Chunk = {
      type: "finish",
      finishReason: { unified: "other", raw: undefined },
      usage: {
        inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
        outputTokens: { total: undefined, text: undefined, reasoning: undefined },
      },
    };
    expect((await play([...textChunks("t", "Whole"), proper])).at(-1)).toEqual({ type: "finish", reason: "other" });
  });

  it("include an end with an error, an approval that cannot be asked, and a call against the choice", async () => {
    const fail = (chunks: Chunk[], input: ReactorInputOverrides = {}) =>
      failureOf(aiSdkReactor({ model: modelOf(chunks) }).react(createReactorInput(input)));
    const seen: ReactorEvent[] = [];
    const ended = aiSdkReactor({
      model: modelOf([{ ...finishV3("error", 5, 6), finishReason: { unified: "error", raw: "MALFORMED" } } as Chunk]),
    }).react(createReactorInput());
    await expect(
      (async () => {
        for await (const event of ended) seen.push(event);
      })(),
    ).rejects.toThrow(/\(MALFORMED\)/);
    expect(seen).toMatchObject([{ type: "usage", usage: { inputTokens: 5, outputTokens: 6 } }]);
    expect(await fail([{ type: "tool-approval-request", approvalId: "a", toolCallId: "m" }, finishV3()])).toMatchObject(
      { code: "UNSUPPORTED", message: expect.stringMatching(/has not made/) as string },
    );
    expect(
      await fail([callChunk("c", "find", "{}"), finishV3()], { actions: [find], actionChoice: "none" }),
    ).toMatchObject({ code: "REACTOR_FAILED" });
  });

  it("include a model that is silent too long, however long it takes in all", async () => {
    const clock = createManualClock();
    let speak: ((chunk: Chunk) => void) | undefined;
    const stream = new ReadableStream<Chunk>({
      start: (controller) => void (speak = (chunk) => controller.enqueue(chunk)),
    });
    const model = new MockLanguageModelV3({ doStream: async () => ({ stream }) });
    const deltas: string[] = [];
    const consume = async () => {
      for await (const event of aiSdkReactor({ model, silenceMs: 100, clock }).react(createReactorInput()))
        if (event.type === "part-delta") deltas.push(event.delta);
    };
    const done = consume().then(
      () => undefined,
      (error: unknown) => error,
    );
    await vi.waitFor(() => expect(clock.pending()).toBe(1));
    speak!({ type: "text-start", id: "t" });
    for (const delta of ["a", "b", "c"]) {
      await clock.advance(60);
      speak!({ type: "text-delta", id: "t", delta });
      await vi.waitFor(() => expect(deltas).toContain(delta));
    }
    await clock.advance(99);
    expect(clock.pending()).toBe(1);
    await clock.advance(60);
    expect(await done).toMatchObject({ code: "TIMEOUT", retryable: true, details: { silenceMs: 100 } });
    expect(clock.pending()).toBe(0);
  });

  it("pass typed errors of the host on as they are", async () => {
    const own = new HebraError("UNREACHABLE", "The file store is away.");
    const transcript = [
      { id: "1", role: "user", parts: [{ kind: "file", mediaType: "image/png", url: "blob:1" }] },
    ] as const;
    expect(
      await failureOf(
        aiSdkReactor({ model: modelOf([finishV3()]), readFile: () => Promise.reject(own) }).react(
          createReactorInput({ transcript }),
        ),
      ),
    ).toBe(own);
  });
});

describe("the provider's request", () => {
  it.each(["the turn aborts", "the consumer leaves", "the answer fails"])("is ended when %s", async (how) => {
    let signal: AbortSignal | undefined;
    const chunks: Chunk[] = [
      ...textChunks("t", "A piece."),
      ...(how === "the answer fails" ? [{ type: "error", error: "broken" } as Chunk] : []),
    ];
    const model = new MockLanguageModelV3({
      doStream: async (options) => ((signal = options.abortSignal), { stream: streamOf(chunks, true) }),
    });
    const controller = new AbortController();
    const consume = async () => {
      for await (const event of aiSdkReactor({ model }).react(createReactorInput({ signal: controller.signal }))) {
        if (event.type !== "part-end") continue;
        if (how === "the turn aborts") controller.abort();
        if (how === "the consumer leaves") break;
      }
    };
    if (how === "the consumer leaves") await consume();
    else
      await expect(consume()).rejects.toMatchObject({ code: how === "the turn aborts" ? "ABORTED" : "REACTOR_FAILED" });
    expect(signal?.aborted).toBe(true);
  });

  it("leaves no stream behind when the consumer leaves", async () => {
    const cancelled = vi.fn();
    const stream = new ReadableStream<Chunk>({
      start: (controller) => textChunks("t", "A piece.").forEach((chunk) => controller.enqueue(chunk)),
      cancel: cancelled,
    });
    for await (const event of aiSdkReactor({
      model: new MockLanguageModelV3({ doStream: async () => ({ stream }) }),
    }).react(createReactorInput()))
      if (event.type === "part-end") break;
    expect(cancelled).toHaveBeenCalledTimes(1);
  });

  it("is not even made for a turn that was aborted before, and a hanging one is left at an abort", async () => {
    const doStream = vi.fn<MockLanguageModelV3["doStream"]>(() => new Promise(() => {}));
    const reactor = aiSdkReactor({ model: new MockLanguageModelV3({ doStream }) });
    const controller = new AbortController();
    const hanging = collectEvents(reactor.react(createReactorInput({ signal: controller.signal })));
    await vi.waitFor(() => expect(doStream).toHaveBeenCalledTimes(1));
    controller.abort(new Error("cancelled"));
    await expect(hanging).rejects.toMatchObject({ code: "ABORTED" });
    await expect(collectEvents(reactor.react(createReactorInput({ signal: controller.signal })))).rejects.toMatchObject(
      { code: "ABORTED" },
    );
    expect(doStream).toHaveBeenCalledTimes(1);
  });
});

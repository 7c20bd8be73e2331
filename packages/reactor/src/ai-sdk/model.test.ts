import type { LanguageModel } from "ai";
import { afterEach, describe, expect, it, vi } from "vitest";
import { collectEvents, createReactorInput } from "../testing/input.ts";
import type { TranscriptMessage } from "../transcript.ts";
import { fakeModel, finishV3, modelOf, streamOf, type Chunk } from "./mock-model.ts";
import { aiSdkReactor } from "./reactor.ts";

const step = (model: LanguageModel, maxRetries = 0) =>
  collectEvents(aiSdkReactor({ model, maxRetries }).react(createReactorInput()));
const heard = vi.fn();

afterEach(() => {
  heard.mockClear();
  vi.restoreAllMocks();
  globalThis.AI_SDK_LOG_WARNINGS = undefined;
  globalThis.AI_SDK_DEFAULT_PROVIDER = undefined;
});

describe("models of the specification v2", () => {
  it("are adapted once, and the AI SDK warns of it once", async () => {
    globalThis.AI_SDK_LOG_WARNINGS = heard;
    const model = fakeModel(() => ({ text: ["Hi."], usage: { inputTokens: 1, outputTokens: 2 } }), "v2");
    for (let i = 0; i < 2; i++)
      expect((await step(model)).slice(-2)).toEqual([
        {
          type: "usage",
          usage: { inputTokens: 1, outputTokens: 2, provider: "mock-provider", model: "mock-model-v2" },
        },
        { type: "finish", reason: "stop" },
      ]);
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it("may come from the global provider, and other versions may not", async () => {
    globalThis.AI_SDK_LOG_WARNINGS = false;
    const provide = (model: unknown) =>
      void (globalThis.AI_SDK_DEFAULT_PROVIDER = { languageModel: () => model } as unknown as NonNullable<
        typeof globalThis.AI_SDK_DEFAULT_PROVIDER
      >);
    provide(fakeModel(() => ({ text: ["Hi."] }), "v2"));
    expect((await step("acme/acme-1")).at(-1)).toEqual({ type: "finish", reason: "stop" });
    provide({ specificationVersion: "v9", provider: "acme", modelId: "m" });
    await expect(step("acme/acme-1")).rejects.toMatchObject({ code: "MODEL_UNSUPPORTED" });
  });
});

describe("models of the specification v4", () => {
  const page = { type: "source", sourceType: "url", id: "s-1", url: "https://example.org/" };
  const cited = { type: "source", sourceType: "url", id: "s-2", url: "https://example.org/cited" };
  const chunks: unknown[] = [
    { type: "stream-start", warnings: [] },
    { type: "ping" },
    { type: "reasoning-file", mediaType: "image/png", data: { type: "data", data: "AAAA" } },
    { type: "custom", kind: "acme.note" },
    page,
    { type: "text-start", id: "t" },
    { type: "text-delta", id: "t", delta: "Hi." },
    { type: "text-end", id: "t", citations: [{ source: cited, startIndex: 0 }, { source: { ...page, id: "s-3" } }] },
    { type: "file", mediaType: "image/png", data: { type: "data", data: "AAAA" } },
    { type: "file", mediaType: "image/png", data: { type: "url", url: new URL("https://example.org/a.png") } },
    finishV3("stop", 1, 2),
  ];
  const modelV4 = (answer: unknown[], seen: unknown[] = []) => ({
    specificationVersion: "v4" as const,
    provider: "acme.chat",
    modelId: "acme-4",
    supportedUrls: {},
    async doStream({ prompt }: { prompt: unknown }) {
      seen.push(prompt);
      return { stream: streamOf(answer) };
    },
  });
  const picture = { kind: "file", mediaType: "image/png", url: "data:image/png;base64,AAAA" } as const;
  const transcript: TranscriptMessage[] = [{ id: "u", role: "user", parts: [{ kind: "text", text: "Hi?" }, picture] }];

  it.each([0, 1])("are asked and understood like any other, with %i retries [RE-10]", async (maxRetries) => {
    const seen: unknown[] = [];
    const reactor = aiSdkReactor({ model: modelV4(chunks, seen), maxRetries });
    const events = await collectEvents(reactor.react({ ...createReactorInput(), transcript }));
    expect(
      events.map((event) =>
        event.type === "part" ? ("url" in event.part ? event.part.url : event.part.kind) : event.type,
      ),
    ).toEqual([
      "https://example.org/",
      "part-start",
      "part-delta",
      "part-end",
      "https://example.org/cited",
      "data:image/png;base64,AAAA",
      "https://example.org/a.png",
      "usage",
      "finish",
    ]);
    expect(events.at(-2)).toMatchObject({ usage: { inputTokens: 1, outputTokens: 2, provider: "acme.chat" } });
    // The file's bytes carry the tag of their kind.
    expect(seen).toMatchObject([
      [{ role: "user", content: [{ text: "Hi?" }, { type: "file", data: { type: "data" }, mediaType: "image/png" }] }],
    ]);
  });

  it("that say their stream was interrupted have not ended, and may be asked again [RE-10]", async () => {
    const cut = [...chunks.slice(0, -1), { ...finishV3(), finishReason: { unified: "interrupted", raw: undefined } }];
    await expect(
      collectEvents(aiSdkReactor({ model: modelV4(cut) }).react(createReactorInput())),
    ).rejects.toMatchObject({ code: "REACTOR_FAILED", retryable: true, details: { error: "incomplete-stream" } });
  });

  it("may come from the global provider [RE-10]", async () => {
    globalThis.AI_SDK_DEFAULT_PROVIDER = { languageModel: () => modelV4(chunks) } as unknown as NonNullable<
      typeof globalThis.AI_SDK_DEFAULT_PROVIDER
    >;
    expect((await step("acme/acme-4")).at(-1)).toEqual({ type: "finish", reason: "stop" });
  });
});

describe("what a provider warns of", () => {
  const warnings: Extract<Chunk, { type: "stream-start" }>["warnings"] = [
    { type: "unsupported", feature: "seed", details: "It is ignored." },
    { type: "compatibility", feature: "topK" },
    { type: "other", message: "Old model." },
    { type: "unsupported-setting", setting: "seed" } as unknown as { type: "other"; message: string },
  ];
  const warning = () =>
    modelOf([{ type: "stream-start", warnings }, finishV3()], { provider: "acme.chat", modelId: "acme-1" });

  it.each([0, 1])("reaches the host's logger once, with %i retries", async (maxRetries) => {
    globalThis.AI_SDK_LOG_WARNINGS = heard;
    await step(warning(), maxRetries);
    expect(heard.mock.calls).toEqual([[{ warnings, provider: "acme.chat", model: "acme-1" }]]);
  });

  it("is on the console otherwise, unless that is turned off", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(heard);
    await step(warning());
    expect(warn.mock.calls.flat()).toEqual([
      'AI SDK Warning (acme.chat / acme-1): The feature "seed" is not supported. It is ignored.',
      'AI SDK Warning (acme.chat / acme-1): The feature "topK" is used in a compatibility mode.',
      "AI SDK Warning (acme.chat / acme-1): Old model.",
      'AI SDK Warning (acme.chat / acme-1): {"type":"unsupported-setting","setting":"seed"}',
    ]);
    warn.mockClear();
    globalThis.AI_SDK_LOG_WARNINGS = false;
    await step(warning());
    expect(warn).not.toHaveBeenCalled();
  });
});

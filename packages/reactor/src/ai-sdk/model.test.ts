import type { LanguageModel } from "ai";
import { afterEach, describe, expect, it, vi } from "vitest";
import { collectEvents, createReactorInput } from "../testing/input.ts";
import { fakeModel, finishV3, modelOf, type Chunk } from "./mock-model.ts";
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

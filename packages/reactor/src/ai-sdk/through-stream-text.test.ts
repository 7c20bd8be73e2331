import type { TelemetryIntegration } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { ReactorEvent } from "../events.ts";
import { collectEvents, createReactorInput } from "../testing/input.ts";
import type { TranscriptMessage } from "../transcript.ts";
import { finishV3, modelOf, streamOf, textChunks, type Chunk } from "./mock-model.ts";
import type { AiSdkReactorOptions } from "./options.ts";
import { aiSdkReactor } from "./reactor.ts";

const say = (text: string): TranscriptMessage => ({ id: text, role: "user", parts: [{ kind: "text", text }] });
const transcript = [say("One."), say("Two.")];
const answer = (options: AiSdkReactorOptions): Promise<ReactorEvent[]> =>
  collectEvents(
    aiSdkReactor({ model: modelOf([...textChunks("0", "Done."), finishV3("stop", 3, 4)]), ...options }).react(
      createReactorInput({ transcript }),
    ),
  );

/** The host's ear for the AI SDK. */
function listener() {
  const onStepStart = vi.fn<NonNullable<TelemetryIntegration["onStepStart"]>>();
  const onStepFinish = vi.fn<NonNullable<TelemetryIntegration["onStepFinish"]>>();
  return { onStepStart, onStepFinish };
}

afterEach(() => {
  globalThis.AI_SDK_TELEMETRY_INTEGRATIONS = undefined;
});

describe("what is asked through streamText", () => {
  it("is what the AI SDK's telemetry is to see, set on the reactor or for the whole process, and is answered the same", async () => {
    const expected = await answer({});
    const [own, everywhere] = [listener(), listener()];
    expect(await answer({ telemetry: { isEnabled: true, integrations: own } })).toEqual(expected);
    globalThis.AI_SDK_TELEMETRY_INTEGRATIONS = [everywhere];
    expect(await answer({})).toEqual(expected);
    for (const { onStepStart, onStepFinish } of [own, everywhere]) {
      expect(onStepStart.mock.calls).toMatchObject([[{ messages: [{ role: "user" }, { role: "user" }] }]]);
      expect(onStepFinish.mock.calls).toMatchObject([[{ text: "Done.", usage: { inputTokens: 3, outputTokens: 4 } }]]);
    }
  });

  it.each([0, 1])("fails as the model's stream fails, with %i retries", async (maxRetries) => {
    const chunks = textChunks("0", "Half", " of it");
    const stream = () =>
      new ReadableStream<Chunk>({
        pull: (controller) =>
          chunks.length > 1
            ? controller.enqueue(chunks.shift()!)
            : controller.error(Object.assign(new TypeError("terminated"), { code: "ECONNRESET" })),
      });
    const events: ReactorEvent[] = [];
    const reactor = aiSdkReactor({
      model: new MockLanguageModelV3({ doStream: async () => ({ stream: stream() }) }),
      maxRetries,
    });
    await expect(
      (async () => {
        for await (const event of reactor.react(createReactorInput())) events.push(event);
      })(),
    ).rejects.toMatchObject({ code: "REACTOR_FAILED", message: "The model call failed: terminated", retryable: true });
  });

  it("ends the provider's request when the consumer leaves", async () => {
    let signal: AbortSignal | undefined;
    const model = new MockLanguageModelV3({
      doStream: async ({ abortSignal }) => (
        (signal = abortSignal),
        { stream: streamOf(textChunks("0", "A piece."), true) }
      ),
    });
    for await (const event of aiSdkReactor({ model, maxRetries: 1 }).react(createReactorInput()))
      if (event.type === "part-end") break;
    expect(signal?.aborted).toBe(true);
  });
});

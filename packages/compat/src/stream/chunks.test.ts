import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { convertArrayToReadableStream, MockLanguageModelV3 } from "ai/test";
import { streamText, tool, type ToolSet } from "ai";
import * as z from "zod";
import { isDurable, type ThreadEvent, type ThreadStore } from "@hebra/thread";
import { memoryStore } from "@hebra/thread/store/memory";
import { createThread } from "../call/builder.ts";
import { configureRuntime, getThreadRuntime } from "../call/runtime.ts";
import type { LegacyChunk, ThreadItem } from "../call/types.ts";
import { createChunkMapper, legacyChunks } from "./chunks.ts";

const golden = JSON.parse(readFileSync(join(import.meta.dirname, "chunks.golden.json"), "utf8")) as Record<
  string,
  LegacyChunk[]
>;
const trigger: ThreadItem = {
  id: "m-1",
  type: "input_text",
  channel: "web",
  createdAt: "2026-01-01T00:00:00Z",
  content: { parts: [{ type: "text", text: "Where is A-7?" }] },
};
const env = {};
let store: ThreadStore;

beforeEach(() => {
  store = memoryStore();
  configureRuntime({ runtime: async () => ({ store }) });
});

const finish = (reason: "stop" | "tool-calls") => ({
  type: "finish",
  finishReason: { unified: reason, raw: reason },
  usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } },
});
const answers = [
  [
    { type: "stream-start", warnings: [] },
    { type: "reasoning-start", id: "r" },
    { type: "reasoning-delta", id: "r", delta: "Hm." },
    { type: "reasoning-end", id: "r" },
    { type: "text-start", id: "t" },
    { type: "text-delta", id: "t", delta: "One " },
    { type: "text-delta", id: "t", delta: "moment." },
    { type: "text-end", id: "t" },
    { type: "tool-call", toolCallId: "c-1", toolName: "find", input: '{"number":"A-7"}' },
    { type: "tool-call", toolCallId: "c-2", toolName: "fail", input: "{}" },
    finish("tool-calls"),
  ],
  [
    { type: "stream-start", warnings: [] },
    { type: "text-start", id: "t" },
    { type: "text-delta", id: "t", delta: "It has shipped." },
    { type: "text-end", id: "t" },
    { type: "tool-call", toolCallId: "c-3", toolName: "end", input: "{}" },
    finish("tool-calls"),
  ],
];
/** @param ready - when the model begins to speak. */
const model = (ready: Promise<void> = Promise.resolve()) => {
  let call = 0;
  return new MockLanguageModelV3({
    async doStream() {
      await ready;
      return { stream: convertArrayToReadableStream(answers[call++]! as never[]) };
    },
  });
};
const desk = () =>
  createThread("desk")
    .context(() => ({}))
    .narrative(() => "You are a desk.")
    .actions(() => ({
      find: tool({
        inputSchema: z.object({ number: z.string() }),
        execute: async ({ number }) => ({ number, status: "shipped" }),
      }),
      fail: tool({
        inputSchema: z.object({}),
        execute: async (): Promise<string> => {
          throw new Error("no lamp");
        },
      }),
      end: tool({ inputSchema: z.object({}), execute: async () => "ended" }),
    }))
    .shouldContinue(({ toolCalls }) => !toolCalls.some(({ toolName }) => toolName === "end"));

/** Everything that is written until the stream is closed. */
function collector() {
  const chunks: LegacyChunk[] = [];
  let closed = false;
  let start = () => {};
  const started = new Promise<void>((resolve) => (start = resolve));
  const write = (chunk: LegacyChunk) => {
    chunks.push(chunk);
    if (chunk.type === "start") start();
  };
  return {
    chunks,
    started,
    closed: () => closed,
    writable: new WritableStream<LegacyChunk>({ write, close: () => void (closed = true) }),
  };
}

/** Ids that differ from run to run, by the order in which they come. */
function stable(chunks: readonly LegacyChunk[]): unknown {
  const names = new Map<string, string>();
  const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
  return JSON.parse(
    JSON.stringify(chunks).replace(
      uuid,
      (id) => names.get(id) ?? (names.set(id, `id-${names.size + 1}`), names.get(id)!),
    ),
  );
}

describe("the legacy stream", () => {
  it("shows a turn of two answers with calls as old clients saw it, chunk by chunk", async () => {
    const sink = collector();
    await desk()
      .model(model(sink.started))
      .react(trigger, { env, context: { key: "k" }, options: { writable: sink.writable } });
    expect(stable(sink.chunks)).toEqual(golden["turn"]);
    expect(sink.closed()).toBe(true);
  });

  it("has the parts of each answer as the AI SDK itself streams them to a client", async () => {
    const sink = collector();
    await desk()
      .model(model(sink.started))
      .react(trigger, { env, context: { key: "k" }, options: { writable: sink.writable } });
    const reference: LegacyChunk[] = [];
    const same = model();
    for (const first of [true, false]) {
      const declared = {
        find: tool({ inputSchema: z.object({ number: z.string() }) }),
        fail: tool({ inputSchema: z.object({}) }),
        end: tool({ inputSchema: z.object({}) }),
      } as unknown as ToolSet;
      const result = streamText({ model: same, prompt: "x", tools: declared, toolChoice: "required" });
      for await (const chunk of result.toUIMessageStream({ sendStart: first, sendFinish: false }))
        reference.push(chunk as LegacyChunk);
    }
    // Its ids are the model's, ours the step's; what it says of the tool's title and the like is not in our events.
    const shape = ({ type, delta, toolCallId, toolName, input }: LegacyChunk) =>
      JSON.parse(JSON.stringify({ type, delta, toolCallId, toolName, input })) as unknown;
    const ours = sink.chunks.filter(
      ({ type }) => !type.startsWith("data-") && !type.startsWith("tool-output") && type !== "finish",
    );
    expect(ours.map(shape)).toEqual(
      reference
        .filter(({ type }) => !type.startsWith("tool-input-start") && !type.startsWith("tool-input-delta"))
        .map(shape),
    );
  });

  it("is the same from the journal alone, with whole parts for deltas", async () => {
    const thread = desk().model(model()).build();
    const { executionId } = await thread.react(trigger, { env, context: { key: "k" } });
    const handle = await (await getThreadRuntime(env)).engineOf(thread).follow(executionId);
    const chunks: LegacyChunk[] = [];
    const journal = async function* () {
      for await (const event of handle.stream) if (isDurable(event)) yield event;
    };
    for await (const chunk of legacyChunks(journal())) chunks.push(chunk);
    const merged = (golden["turn"] as LegacyChunk[])
      .filter(({ delta }) => delta !== "One ")
      .map((chunk) => (chunk["delta"] === "moment." ? { ...chunk, delta: "One moment." } : chunk));
    expect(stable(chunks)).toEqual(merged);
  });

  it("ends with finish also when the turn fails, keeps the stream open when asked to, and is silent when asked to", async () => {
    const failed = collector();
    const broken = desk().narrative(() => {
      throw new Error("broken");
    });
    await expect(
      broken.react(trigger, { env, options: { writable: failed.writable, preventClose: true } }),
    ).rejects.toThrow("broken");
    expect(stable(failed.chunks)).toEqual(golden["failed"]);
    expect(failed.closed()).toBe(false);
    const silent = collector();
    await desk()
      .model(model())
      .react(trigger, { env, options: { writable: silent.writable, silent: true } });
    expect(silent.chunks).toEqual([]);
  });

  it("goes on without a reader that has left", async () => {
    let written = 0;
    const writable = new WritableStream({
      write: () => (++written > 3 ? Promise.reject(new Error("gone")) : undefined),
    });
    await expect(desk().model(model()).react(trigger, { env, options: { writable } })).resolves.toMatchObject({
      triggerEventId: "m-1",
    });
    expect(written).toBe(4);
  });

  it("loses no text to a reader that falls behind at any place", async () => {
    const thread = desk().model(model()).build();
    const runtime = await getThreadRuntime(env);
    const engine = runtime.engineOf(thread);
    const events: ThreadEvent[] = [];
    const running = thread.react(trigger, { env, context: { key: "k" } });
    let executionId: string | undefined;
    while (executionId === undefined) {
      await Promise.resolve();
      executionId = (await store.load("default", { key: "k" }))?.active?.execution.id;
    }
    for await (const event of (await engine.follow(executionId)).stream) events.push(event);
    await running;
    const live = events.filter((event) => !isDurable(event)).length;
    expect(live).toBeGreaterThan(5);
    for (let from = 0; from < events.length; from++) {
      for (const length of [1, 3, 100]) {
        const kept = events.filter((event, i) => isDurable(event) || i < from || i >= from + length);
        const mapper = createChunkMapper();
        const chunks = kept.flatMap((event) => mapper.accept(event));
        const texts = new Map<string, string>();
        for (const { type, id, delta } of chunks)
          if (type === "text-delta") texts.set(String(id), (texts.get(String(id)) ?? "") + String(delta));
        expect([...texts.values()]).toEqual(["One moment.", "It has shipped."]);
        const opened = chunks
          .filter(({ type }) => type === "text-start" || type === "reasoning-start")
          .map(({ id }) => String(id));
        expect(
          chunks.filter(({ type }) => type === "text-end" || type === "reasoning-end").map(({ id }) => String(id)),
        ).toEqual(opened);
        expect(new Set(opened).size).toBe(3);
      }
    }
  });
});

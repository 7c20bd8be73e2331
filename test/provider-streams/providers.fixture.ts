import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import type { LanguageModel } from "ai";

/** The providers whose answers were recorded. */
export type ProviderName = "openai" | "anthropic" | "google";

/** A model of a provider's package that can be asked by its own interface. */
export type ProviderModel = Extract<LanguageModel, { specificationVersion: "v3" }>;

/** One recorded answer, an event of the provider's stream a line. */
export interface Recording {
  provider: ProviderName;
  name: string;
  events: string[];
  /** Answers to the questions that follow. @defaultValue none */
  more?: string[][];
}

export const providers: readonly ProviderName[] = ["openai", "anthropic", "google"];

/** All recordings of a folder. Some files end with an answer's whole object instead of events: those have no stream. */
export function readRecordings(path: string): Recording[] {
  return providers.flatMap((provider) =>
    readdirSync(join(path, provider)).map((file) => ({
      provider,
      name: file.replace(".jsonl", ""),
      events: readFileSync(join(path, provider, file), "utf8")
        .split("\n")
        .filter((line) => line.trim() !== ""),
    })),
  );
}

/**
 * Three files hold the answers of a whole turn one after the other, as no provider sends them: each becomes the answer
 * to a question of its own.
 */
export function splitAnswers(recording: Recording): Recording {
  const answers: string[][] = [[]];
  for (const event of recording.events) {
    if (event.includes('"type":"message_start"') && answers.at(-1)!.some((line) => line.includes('"message_stop"')))
      answers.push([]);
    answers.at(-1)!.push(event);
  }
  const [events = [], ...more] = answers;
  return { ...recording, events, more };
}

/** How a served stream goes on after its events: it ends, breaks off, or says nothing more. */
export type Ending = "end" | "break" | "hang";

/** A body that is served to one request. */
export interface Served {
  events: readonly string[];
  ending?: Ending;
  /** Is told when all events have been read. */
  read?: () => void;
}

/** A `fetch` that serves these bodies in turn, the last one again and again, and keeps what was asked. */
export function serve(bodies: readonly Served[]): { fetch: typeof globalThis.fetch; asked: Record<string, unknown>[] } {
  const asked: Record<string, unknown>[] = [];
  return {
    asked,
    fetch: (_url, init) => {
      const served = bodies[Math.min(asked.length, bodies.length - 1)]!;
      asked.push(JSON.parse(String(init?.body)) as Record<string, unknown>);
      return Promise.resolve(
        new Response(body(served, init?.signal ?? undefined), {
          headers: { "content-type": "text/event-stream" },
        }),
      );
    },
  };
}

function body({ events, ending = "end", read }: Served, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  let next = 0;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        signal?.addEventListener("abort", () => controller.error(signal.reason), { once: true });
      },
      async pull(controller) {
        if (next < events.length) return controller.enqueue(Buffer.from(`data: ${events[next++]!}\n\n`));
        read?.();
        if (ending === "end") return controller.close();
        if (ending === "break") return controller.error(new TypeError("terminated"));
        await new Promise(() => {});
      },
    },
    { highWaterMark: 0 },
  );
}

/** The model of a provider's real package. */
export function modelOf(provider: ProviderName, fetch: typeof globalThis.fetch): ProviderModel {
  const options = { apiKey: "key", fetch };
  switch (provider) {
    case "openai":
      return createOpenAI(options).responses("gpt-5.1") as ProviderModel;
    case "anthropic":
      return createAnthropic(options)("claude-sonnet-4-5") as ProviderModel;
    case "google":
      return createGoogleGenerativeAI(options)("gemini-3-pro-preview") as ProviderModel;
  }
}

/** An answer of words alone. */
export const plainAnswer: Readonly<Record<ProviderName, readonly string[]>> = {
  openai: [
    { type: "response.created", response: { id: "resp_p", object: "response", created_at: 1, model: "gpt-5.1" } },
    { type: "response.output_item.added", output_index: 0, item: { type: "message", id: "msg_p" } },
    { type: "response.output_text.delta", item_id: "msg_p", output_index: 0, content_index: 0, delta: "Done." },
    { type: "response.output_item.done", output_index: 0, item: { type: "message", id: "msg_p" } },
    { type: "response.completed", response: { usage: { input_tokens: 1, output_tokens: 1 } } },
  ].map((event) => JSON.stringify(event)),
  anthropic: [
    { type: "message_start", message: { id: "msg_p", model: "m", usage: { input_tokens: 1, output_tokens: 1 } } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Done." } },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 1 } },
    { type: "message_stop" },
  ].map((event) => JSON.stringify(event)),
  google: [
    {
      candidates: [{ content: { parts: [{ text: "Done." }], role: "model" }, index: 0, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
    },
  ].map((event) => JSON.stringify(event)),
};

/** The same answer with other ids, as no provider gives an id twice. */
export const plainAnswerAgain = (provider: ProviderName): string[] =>
  plainAnswer[provider].map((event) => event.replaceAll(/"(resp|msg)_p"/g, '"$1_q"'));

/** The answer as OpenAI gives it when it stores nothing: what was thought comes encrypted with its item. */
export function unstored(events: readonly string[]): string[] {
  return events.map((line) => {
    const event = JSON.parse(line) as { type?: string; item?: Record<string, unknown> };
    if (event.type !== "response.output_item.done" || event.item?.["type"] !== "reasoning") return line;
    return JSON.stringify({
      ...event,
      item: { ...event.item, encrypted_content: `sealed ${String(event.item["id"])}` },
    });
  });
}

/** What the provider says when its limit of output tokens is reached: what it has begun is ended as it is. */
export function limitEvents(provider: ProviderName, events: readonly string[]): string[] {
  const seen = events.map((event) => JSON.parse(event) as { type?: string; output_index?: number; index?: number });
  const open = (begun: string, ended: string, place: "output_index" | "index") =>
    seen.filter(
      (event) => event.type === begun && !seen.some((other) => other.type === ended && other[place] === event[place]),
    );
  const ends: object[] = [];
  switch (provider) {
    case "openai":
      for (const event of open("response.output_item.added", "response.output_item.done", "output_index"))
        ends.push({ ...event, type: "response.output_item.done" });
      ends.push({
        type: "response.incomplete",
        response: { incomplete_details: { reason: "max_output_tokens" }, usage: { input_tokens: 1, output_tokens: 1 } },
      });
      break;
    case "anthropic":
      for (const { index } of open("content_block_start", "content_block_stop", "index"))
        ends.push({ type: "content_block_stop", index });
      ends.push({ type: "message_delta", delta: { stop_reason: "max_tokens" }, usage: { output_tokens: 1 } });
      ends.push({ type: "message_stop" });
      break;
    case "google":
      ends.push({ candidates: [{ content: { parts: [], role: "model" }, index: 0, finishReason: "MAX_TOKENS" }] });
  }
  return ends.map((event) => JSON.stringify(event));
}

/** What the provider says when it fails in the middle of an answer. Gemini breaks the stream off. */
export const errorEvents: Readonly<Record<ProviderName, readonly string[]>> = {
  openai: [
    JSON.stringify({
      type: "error",
      sequence_number: 99,
      error: { type: "server_error", code: "server_error", message: "Busy." },
    }),
  ],
  anthropic: [JSON.stringify({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } })],
  google: [],
};

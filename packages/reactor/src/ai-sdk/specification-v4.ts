import type { Model, ModelCall, PromptContent, PromptMessage, StreamPart, StreamPartOf } from "./specification.ts";

/**
 * A model of the provider specification v4, that of the AI SDK 7, as far as it is used. Its types are spelt out here,
 * since the AI SDK 6 has none for it.
 */
export interface ModelV4 {
  readonly specificationVersion: "v4";
  readonly provider: string;
  readonly modelId: string;
  readonly supportedUrls: Model["supportedUrls"];
  /** @param call - what the provider's own types say */
  doStream(call: never): PromiseLike<{ stream: ReadableStream<unknown> }>;
}

/** Bytes, base64 or a link, with a tag that says which. */
type FileDataV4 = { type: "data"; data: string | Uint8Array } | { type: "url"; url: URL };
type Source = StreamPartOf<"source">;
type Finish = StreamPartOf<"finish">;
type FinishV4 = Omit<Finish, "finishReason"> & {
  finishReason: { unified: Finish["finishReason"]["unified"] | "interrupted"; raw: string | undefined };
};
type StreamPartV4 =
  | Exclude<StreamPart, { type: "file" | "finish" | "text-end" }>
  | (Omit<StreamPartOf<"file">, "data"> & { data: FileDataV4 })
  | (StreamPartOf<"text-end"> & { citations?: { source: Source }[] })
  | FinishV4
  | { type: "custom" | "reasoning-file" | "ping" };
type OutputV4Part = { type: "file"; data: FileDataV4; mediaType: string; filename?: string; providerOptions?: object };

/**
 * The model as one of the specification v3. They differ in how files are written, in citations, which stand at the end
 * of the text that they support, and in kinds of parts that the transcript has no place for: those are passed over.
 */
export function fromV4(model: ModelV4): Model {
  return {
    specificationVersion: "v3",
    provider: model.provider,
    modelId: model.modelId,
    supportedUrls: model.supportedUrls,
    doGenerate: () => Promise.reject(new TypeError("Models are asked by doStream alone.")),
    async doStream(call) {
      const answer = await model.doStream(callV4(call) as never);
      const stream = answer.stream as ReadableStream<StreamPartV4>;
      return { ...answer, stream: stream.pipeThrough(streamV3()) };
    },
  };
}

function callV4(call: ModelCall): object {
  return { ...call, prompt: call.prompt.map(messageV4) };
}

function messageV4(message: PromptMessage): object {
  if (message.role === "system") return message;
  const content: readonly PromptContent<"user" | "assistant" | "tool">[number][] = message.content;
  return {
    ...message,
    content: content.map((part) => {
      if (part.type === "file") return { ...part, data: fileDataV4(part.data) };
      if (part.type !== "tool-result" || part.output.type !== "content") return part;
      return { ...part, output: { ...part.output, value: part.output.value.map(outputPartV4) } };
    }),
  };
}

type OutputPart = Extract<
  Extract<PromptContent<"tool">[number], { type: "tool-result" }>["output"],
  { type: "content" }
>["value"][number];

function outputPartV4(part: OutputPart): OutputPart | OutputV4Part {
  switch (part.type) {
    case "file-data":
    case "image-data":
      return { ...part, type: "file", data: { type: "data", data: part.data } };
    case "file-url":
    case "image-url": {
      const { url, ...rest } = part;
      const mediaType = ("mediaType" in part ? part.mediaType : undefined) ?? "image";
      return { ...rest, type: "file", data: { type: "url", url: new URL(url) }, mediaType };
    }
    default:
      return part;
  }
}

function fileDataV4(data: string | Uint8Array | URL): FileDataV4 {
  return data instanceof URL ? { type: "url", url: data } : { type: "data", data };
}

function streamV3(): TransformStream<StreamPartV4, StreamPart> {
  // A page that is cited may have come as a source too.
  const seen = new Set<string>();
  return new TransformStream({
    transform(part, controller) {
      if (part.type === "source") seen.add(keyOf(part));
      for (const each of partsV3(part)) {
        if (each.type === "source" && each !== part) {
          if (seen.has(keyOf(each))) continue;
          seen.add(keyOf(each));
        }
        controller.enqueue(each);
      }
    },
  });
}

function keyOf(source: Source): string {
  return source.sourceType === "url" ? source.url : JSON.stringify([source.title, source.filename]);
}

function partsV3(part: StreamPartV4): StreamPart[] {
  switch (part.type) {
    case "file":
      // A file that the model made is given whole by every provider that we know of.
      return part.data.type === "data"
        ? [{ ...part, data: part.data.data }]
        : [{ type: "source", sourceType: "url", id: part.data.url.href, url: part.data.url.href }];
    case "text-end": {
      const { citations = [], ...end } = part;
      return [end, ...citations.map(({ source }) => source)];
    }
    case "finish": {
      const { unified, raw } = part.finishReason;
      // The provider's stream broke off: to us an answer without an end, which may be asked for again.
      return unified === "interrupted" ? [] : [{ ...part, finishReason: { unified, raw } }];
    }
    case "custom":
    case "reasoning-file":
    case "ping":
      return [];
    default:
      return [part];
  }
}

import { modelMessageSchema, type ModelMessage } from "ai";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { collectEvents, createReactorInput } from "../testing/input.ts";
import type { Role, TranscriptMessage, TranscriptPart } from "../transcript.ts";
import { toModelMessages } from "./messages.ts";
import { finishV3, modelOf } from "./mock-model.ts";
import { aiSdkReactor } from "./reactor.ts";
import { transcripts } from "./transcripts.fixture.ts";

const user = (...parts: TranscriptPart[]): TranscriptMessage => ({ id: "u", role: "user", parts });
const assistant = (...parts: TranscriptPart[]): TranscriptMessage => ({ id: "a", role: "assistant", parts });
const system = (text: string): TranscriptMessage => ({ id: "s", role: "system", parts: [{ kind: "text", text }] });
const hello = user({ kind: "text", text: "Hello." });

describe("toModelMessages", () => {
  it("groups an assistant's parts by step, with a tool message after each step that has calls", async () => {
    const messages = await toModelMessages([
      hello,
      assistant(
        { kind: "reasoning", text: "Hm.", step: 0, providerMetadata: { anthropic: { signature: "sig" } } },
        { kind: "text", text: "Looking.", step: 0 },
        {
          kind: "action",
          callId: "c-1",
          name: "find",
          input: { id: 1 },
          status: "succeeded",
          output: { ok: true },
          step: 0,
        },
        {
          kind: "action",
          callId: "c-2",
          name: "find",
          input: { id: 2 },
          status: "failed",
          error: "The person denied it.",
          step: 0,
        },
        { kind: "action", callId: "c-3", name: "note", input: {}, status: "succeeded", output: "noted", step: 1 },
        { kind: "source", id: "s", url: "https://example.org/", step: 2 },
        { kind: "text", text: "Done.", step: 2, providerMetadata: { openai: { itemId: "msg_1" } } },
      ),
      hello,
    ]);
    expect(messages.slice(1, -1)).toEqual([
      {
        role: "assistant",
        content: [
          { type: "reasoning", text: "Hm.", providerOptions: { anthropic: { signature: "sig" } } },
          { type: "text", text: "Looking." },
          { type: "tool-call", toolCallId: "c-1", toolName: "find", input: { id: 1 } },
          { type: "tool-call", toolCallId: "c-2", toolName: "find", input: { id: 2 } },
        ],
      },
      {
        role: "tool",
        content: [
          { type: "tool-result", toolCallId: "c-1", toolName: "find", output: { type: "json", value: { ok: true } } },
          {
            type: "tool-result",
            toolCallId: "c-2",
            toolName: "find",
            output: { type: "error-text", value: "The person denied it." },
          },
        ],
      },
      { role: "assistant", content: [{ type: "tool-call", toolCallId: "c-3", toolName: "note", input: {} }] },
      {
        role: "tool",
        content: [
          { type: "tool-result", toolCallId: "c-3", toolName: "note", output: { type: "text", value: "noted" } },
        ],
      },
      {
        role: "assistant",
        content: [{ type: "text", text: "Done.", providerOptions: { openai: { itemId: "msg_1" } } }],
      },
    ]);
  });

  it("keeps empty reasoning for its metadata, and drops what is empty otherwise", async () => {
    const hidden = {
      kind: "reasoning",
      text: "",
      providerMetadata: { openai: { reasoningEncryptedContent: "x" }, note: "not an object" },
    } as const;
    expect(
      await toModelMessages([
        user({ kind: "text", text: "" }),
        hello,
        assistant({ kind: "reasoning", text: "" }),
        assistant(hidden, { kind: "text", text: "Hi." }),
        hello,
      ]),
    ).toEqual([
      { role: "user", content: [{ type: "text", text: "Hello." }] },
      {
        role: "assistant",
        content: [
          { type: "reasoning", text: "", providerOptions: { openai: { reasoningEncryptedContent: "x" } } },
          { type: "text", text: "Hi." },
        ],
      },
      { role: "user", content: [{ type: "text", text: "Hello." }] },
    ]);
  });

  it("shows a call that the provider ran to that provider as its own, and to another as an ordinary call", async () => {
    const transcript = [
      hello,
      assistant({
        kind: "action",
        callId: "ws_1",
        name: "web_search",
        input: {},
        status: "succeeded",
        output: [1],
        providerMetadata: { hebra: { provider: "anthropic.messages" }, anthropic: { x: 1 } },
      }),
      hello,
    ];
    const own = await toModelMessages(transcript, { provider: "anthropic.messages" });
    expect(own.map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(own[1]!.content).toMatchObject([
      { type: "tool-call", providerExecuted: true, providerOptions: { anthropic: { x: 1 } } },
      { type: "tool-result", output: { type: "json", value: [1] } },
    ]);
    const other = await toModelMessages(transcript, { provider: "openai.responses" });
    expect(other.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "user"]);
    expect(other[1]!.content).not.toMatchObject([{ providerExecuted: true }]);
  });

  it("keeps leading system messages and gives later ones to the user, unless told otherwise", async () => {
    const transcript = [system("one"), system("two"), hello, system("three"), hello];
    const content = (messages: ModelMessage[]) =>
      messages.map(({ role, content }) => [
        role,
        typeof content === "string" ? content : (content[0] as { text: string }).text,
      ]);
    expect(content(await toModelMessages(transcript))).toEqual([
      ["system", "one"],
      ["system", "two"],
      ["user", "Hello."],
      ["user", "<system>\nthree\n</system>"],
      ["user", "Hello."],
    ]);
    expect(content(await toModelMessages(transcript, { laterSystemMessages: "system" }))[3]).toEqual([
      "system",
      "three",
    ]);
  });

  it("lets the user speak last", async () => {
    expect((await toModelMessages([hello, assistant({ kind: "text", text: "Hi." })])).at(-1)).toEqual({
      role: "user",
      content: [{ type: "text", text: "Continue." }],
    });
    expect(
      (await toModelMessages([hello, assistant({ kind: "text", text: "Hi." })], { continuation: "Weiter." })).at(-1),
    ).toMatchObject({ content: [{ text: "Weiter." }] });
    const settled = assistant({ kind: "action", callId: "c", name: "a", input: {}, status: "failed" });
    expect((await toModelMessages([hello, settled])).at(-1)?.role).toBe("tool");
  });

  it("lets the user speak first", async () => {
    const opening = { role: "user", content: [{ type: "text", text: "[The conversation begins.]" }] };
    const greeting = assistant({ kind: "text", text: "Welcome." });
    expect((await toModelMessages([greeting, hello])).map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect((await toModelMessages([system("s"), greeting, hello]))[1]).toEqual(opening);
    expect(await toModelMessages([system("s")])).toEqual([{ role: "system", content: "s" }, opening]);
    expect(await toModelMessages([])).toEqual([opening]);
    expect(await toModelMessages([], { opening: "Los." })).toMatchObject([{ content: [{ text: "Los." }] }]);
  });

  it("gives files as bytes or links, and says so when a file cannot be shown", async () => {
    const file = (url: string): TranscriptPart => ({ kind: "file", mediaType: "text/plain", url, filename: "a.txt" });
    const note = { type: "text", text: '[The file "a.txt" (text/plain) cannot be shown.]' };
    const contents = async (part: TranscriptPart, options = {}) =>
      (await toModelMessages([user(part)], options))[0]!.content;
    expect(await contents(file("https://example.org/a.txt?b=1"))).toEqual([
      { type: "file", data: new URL("https://example.org/a.txt?b=1"), mediaType: "text/plain", filename: "a.txt" },
    ]);
    for (const url of [
      "data:text/plain;base64,SGk=",
      "data:,Hi",
      "data:text/plain;charset=utf-8,H%69",
      "data:text/plain;BASE64,SGk%3D",
    ]) {
      const [made] = (await contents(file(url))) as { data: Uint8Array }[];
      expect(new TextDecoder().decode(made!.data)).toBe("Hi");
    }
    for (const url of ["blob:store/7", "uploads/a.txt", "file:///etc/passwd", "data:nothing", "data:,%E0%A4%A"])
      expect(await contents(file(url))).toEqual([note]);
    const readFile = ({ url }: { url: string }) => (url === "blob:store/7" ? new Uint8Array([72]) : undefined);
    expect(await contents(file("blob:store/7"), { readFile })).toMatchObject([{ data: new Uint8Array([72]) }]);
    expect(await contents(file("https://example.org/"), { readFile })).toEqual([note]);
  });

  it("puts data parts in words of JSON, or in the host's, or not at all", async () => {
    const data = user({ kind: "data", name: "form", data: { a: 1 } });
    expect((await toModelMessages([data]))[0]!.content).toEqual([
      { type: "text", text: '{"name":"form","data":{"a":1}}' },
    ]);
    expect(
      (
        await toModelMessages([data], {
          dataToText: ({ name }: { name: string }, role: Role) => `${role} sent ${name}`,
        })
      )[0]!.content,
    ).toEqual([{ type: "text", text: "user sent form" }]);
    expect(await toModelMessages([hello, data], { dataToText: () => undefined })).toHaveLength(1);
  });

  it("refuses roles and parts that it does not know", async () => {
    await expect(toModelMessages([{ ...hello, role: "tool" as Role }])).rejects.toMatchObject({ code: "UNSUPPORTED" });
    for (const make of [user, assistant])
      await expect(toModelMessages([make({ kind: "hologram" } as unknown as TranscriptPart)])).rejects.toMatchObject({
        code: "UNSUPPORTED",
      });
  });
});

describe("any transcript", () => {
  it("becomes messages that the AI SDK takes, with exactly one result right after each call", async () => {
    await fc.assert(
      fc.asyncProperty(transcripts, async (transcript) => {
        const messages = await toModelMessages(transcript, { provider: "anthropic" });
        const parsed = z.array(modelMessageSchema).safeParse(messages);
        expect(parsed.error?.issues).toBeUndefined();
        const seen = new Set<string>();
        messages.forEach((message, i) => {
          if (message.role === "tool") expect(messages[i - 1]?.role).toBe("assistant");
          if (message.role !== "assistant" || typeof message.content === "string") return;
          const calls = message.content.flatMap((content) => (content.type === "tool-call" ? content.toolCallId : []));
          const next = messages[i + 1];
          const results = [...message.content, ...(next?.role === "tool" ? next.content : [])].flatMap((content) =>
            content.type === "tool-result" ? content.toolCallId : [],
          );
          expect(results.toSorted()).toEqual(calls.toSorted());
          for (const id of calls) {
            expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
            expect(seen.has(id)).toBe(false);
            seen.add(id);
          }
        });
        expect(messages.find(({ role }) => role !== "system")?.role).toBe("user");
        expect(messages.at(-1)?.role).not.toBe("assistant");
      }),
      { seed: 42, numRuns: 150 },
    );
  });

  it("passes streamText, whose own check refuses calls without a result", async () => {
    const asked = transcripts.map((transcript) => [
      ...transcript.map((message) => ({ ...message, parts: message.parts.filter(({ kind }) => kind !== "file") })),
      hello,
    ]);
    await fc.assert(
      fc.asyncProperty(asked, async (transcript) => {
        const reactor = aiSdkReactor({ model: modelOf([finishV3()]), maxRetries: 1 });
        expect((await collectEvents(reactor.react(createReactorInput({ transcript })))).at(-1)).toEqual({
          type: "finish",
          reason: "stop",
        });
      }),
      { seed: 43, numRuns: 30 },
    );
  });
});

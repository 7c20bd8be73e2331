import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { MockLanguageModelV3 } from "ai/test";
import { describe, expect, it } from "vitest";
import { collectEvents, createReactorInput } from "../testing/input.ts";
import type { TranscriptMessage } from "../transcript.ts";
import { apiError, finishV3, modelOf, streamOf } from "./mock-model.ts";
import type { AiSdkReactorOptions } from "./options.ts";
import { aiSdkReactor } from "./reactor.ts";

const say = (...parts: TranscriptMessage["parts"]): TranscriptMessage => ({ id: "u", role: "user", parts });
const picture = (url: string) => ({ kind: "file", mediaType: "image/png", url }) as const;
const note = { type: "text", text: expect.stringContaining("cannot be shown") as string };
const everything = { "*/*": [/^https?:/] };

async function shown(url: string, options: AiSdkReactorOptions = {}, supportedUrls = everything) {
  const model = new MockLanguageModelV3({ supportedUrls, doStream: modelOf([finishV3()]).doStream });
  await collectEvents(
    aiSdkReactor({ model, ...options }).react(createReactorInput({ transcript: [say(picture(url))] })),
  );
  return model.doStreamCalls[0]!.prompt[0]!.content[0];
}

describe.each([0, 1])("a user's link, with %i retries", (maxRetries) => {
  it("is fetched by nobody: it goes to a provider that fetches it, of others the model is told [SE-3]", async () => {
    let fetched = 0;
    const server = createServer((_, response) => (fetched++, response.end("secret"))).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    for (const host of ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
      for (const supported of [everything, {}])
        expect(await shown(`http://${host}:${port}/a.png`, { maxRetries }, supported as typeof everything)).toEqual(
          note,
        );
    server.close();
    assert.equal(fetched, 0);
    const url = "https://example.org/a.png";
    expect(await shown(url, { maxRetries })).toMatchObject({ type: "file", data: new URL(url) });
    expect(await shown(url, { maxRetries }, {} as typeof everything)).toEqual(note);
  });

  it.each([
    "http://169.254.169.254/latest/meta-data",
    "http://10.1.2.3/",
    "http://192.168.0.1/",
    "http://[::1]/",
    "http://[fd00::1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://redis:6379/",
    "http://metadata.google.internal/",
  ])("to an address inside a network is shown to no provider: %s [SE-3]", async (url) => {
    expect(await shown(url, { maxRetries })).toEqual(note);
  });

  it("that has expired costs one refused question and no turn [SE-4]", async () => {
    const asked: string[] = [];
    const model = new MockLanguageModelV3({
      supportedUrls: everything,
      doStream: ({ prompt }) => {
        const content = JSON.stringify(prompt);
        asked.push(content);
        if (content.includes("example.org")) throw apiError(400);
        return Promise.resolve({ stream: streamOf([finishV3()]) });
      },
    });
    const transcript = [say(picture("https://example.org/gone.png"))];
    const events = await collectEvents(aiSdkReactor({ model, maxRetries }).react(createReactorInput({ transcript })));
    expect(events.at(-1)).toEqual({ type: "finish", reason: "stop" });
    expect(asked).toHaveLength(2);
    expect(asked[1]).toContain("cannot be shown");
  });
});

it("a file that the host cannot read is told to the model, and the turn goes on [SE-4]", async () => {
  const readFile = () => Promise.reject(new Error("The link has expired."));
  expect(await shown("https://example.org/gone.png", { readFile })).toEqual(note);
});

it("a question that is refused for another reason fails as before", async () => {
  const model = new MockLanguageModelV3({ supportedUrls: everything, doStream: () => Promise.reject(apiError(429)) });
  const transcript = [say(picture("https://example.org/a.png"))];
  await expect(collectEvents(aiSdkReactor({ model }).react(createReactorInput({ transcript })))).rejects.toMatchObject({
    code: "REACTOR_FAILED",
    details: { status: 429 },
  });
  expect(model.doStreamCalls).toHaveLength(1);
});

import { expect, it } from "vitest";
import type { Reactor } from "@hebra/reactor";
import { memoryStore } from "../store/memory.ts";
import { createRuntime } from "./runtime.ts";
import { echoReactor, echoThread, memoryChannel } from "./runtime.fixture.ts";

it("a picture that came over a channel is a reference on the bus and in the rows, and what it stands for to the model", async () => {
  const seen: string[] = [];
  const echo = echoReactor();
  const looking: Reactor = {
    ...echo,
    react(input) {
      seen.push(
        ...input.transcript.flatMap(({ parts }) => parts.flatMap((part) => (part.kind === "file" ? [part.url] : []))),
      );
      return echo.react(input);
    },
  };
  const runtime = createRuntime({
    threads: [echoThread(looking)],
    store: memoryStore(),
    readFile: (url) => Promise.resolve(`https://files.example/${url.slice("blob:".length)}?signature=1`),
  });
  const channel = memoryChannel();
  await runtime.gateway({ channels: [channel] });
  const { session } = await channel.publish({
    id: "1",
    chat: "ana",
    parts: [
      { kind: "file", mediaType: "image/png", url: "blob:cat-7" },
      { kind: "text", text: "What is this?" },
    ],
  });
  await channel.received(1);
  expect(seen).toEqual(["https://files.example/cat-7?signature=1"]);
  const [first] = await runtime.engine.history({ key: session });
  expect(first?.item.content[0]).toMatchObject({ url: "blob:cat-7" });
  await runtime.close();
});

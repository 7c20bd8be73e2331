import { describe, expect, test } from "vitest";
import { readServerEvents } from "./server-events.ts";

async function read(chunks: readonly string[]): Promise<string[]> {
  const seen: string[] = [];
  const bytes = chunks.map((chunk) => new TextEncoder().encode(chunk));
  await readServerEvents(
    new ReadableStream({
      start(controller) {
        for (const chunk of bytes) controller.enqueue(chunk);
        controller.close();
      },
    }),
    (data) => void seen.push(data),
  );
  return seen;
}

describe("readServerEvents", () => {
  test("takes any line end, joins lines of data, and passes over comments, other fields and empty events", async () => {
    const stream = ": hi\n\nevent: x\nid: 1\n\ndata: a\ndata:b\n\ndata\r\n\r\ndata: c\r\rdata: unfinished";
    expect(await read([stream])).toEqual(["a\nb", "", "c"]);
  });

  test("is the same however the stream is cut", async () => {
    const stream = ": hi\r\n\r\ndata: one\r\n\r\ndata: two\ndata: more\n\n";
    for (let cut = 0; cut <= stream.length; cut++)
      expect(await read([stream.slice(0, cut), stream.slice(cut)]), String(cut)).toEqual(["one", "two\nmore"]);
    expect(await read([...stream])).toEqual(["one", "two\nmore"]);
  });
});

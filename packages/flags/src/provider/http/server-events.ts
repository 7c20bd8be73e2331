/**
 * Reads a server-sent event stream (HTML standard, "event stream interpretation") as far as a doorbell needs: calls
 * back once for each event that
 * has data. Returns when the stream ends.
 */
export async function readServerEvents(
  body: ReadableStream<Uint8Array>,
  onEvent: (data: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  let data: string[] = [];
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) onEvent(data.join("\n"));
        data = [];
      } else if (line.startsWith("data:")) {
        data.push(line.slice(line.charAt(5) === " " ? 6 : 5));
      } else if (line === "data") {
        data.push("");
      }
    }
  }
}

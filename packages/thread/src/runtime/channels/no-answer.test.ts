import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { replyTo } from "../contract/bench.ts";
import { TOKEN } from "./telegram.fixture.ts";
import { telegramChannel } from "./telegram.ts";
import { NUMBER, secrets } from "./whatsapp.fixture.ts";
import { whatsappChannel } from "./whatsapp.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
/** An address at which nobody listens any more. */
async function nowhere(): Promise<string> {
  const server = createServer();
  const url = await listening(server);
  server.close();
  await once(server, "close");
  return url;
}
/** Takes the request, and then does this. */
const taking = (then: (socket: { destroy(): void; end(text: string): void }) => void) =>
  listening(
    createServer((socket) => {
      closers.push(() => socket.destroy());
      socket.on("error", () => undefined);
      socket.once("data", () => then(socket));
    }),
  );

const channels = {
  Telegram: (baseUrl: string) => telegramChannel({ token: TOKEN, baseUrl }),
  WhatsApp: (baseUrl: string) => whatsappChannel({ phoneNumberId: NUMBER, ...secrets, baseUrl, timeoutMs: 500 }),
};
const sent = (make: (baseUrl: string) => { send(reply: ReturnType<typeof replyTo>): Promise<void> }, baseUrl: string) =>
  make(baseUrl).send(replyTo("7", "hello"));

describe.each(Object.entries(channels))("a reply over %s that gets no answer", (_name, make) => {
  it.each([
    ["as the connection was closed when it had been taken", () => taking((socket) => socket.destroy())],
    ["that can be read", () => taking((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"))],
  ])("%s, is of unknown outcome", async (_why, server) => {
    await expect(sent(make, await server())).rejects.toMatchObject({
      code: "UNREACHABLE",
      retryable: true,
      details: { outcome: "unknown" },
    });
  });

  it("as nobody is there to take it, has failed", async () => {
    await expect(sent(make, await nowhere())).rejects.toMatchObject({
      code: "UNREACHABLE",
      retryable: true,
      details: { outcome: "failed" },
    });
  });
});

it("a reply over WhatsApp whose time ran out is of unknown outcome, and no secret is told", async () => {
  const error: unknown = await sent(channels.WhatsApp, await taking(() => {})).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "UNREACHABLE", details: { outcome: "unknown" } });
  expect(JSON.stringify(error) + String(error)).not.toContain(secrets.accessToken);
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstDocument } from "./provider.contract.ts";

let redis: TestRedis | undefined;
let flagServer: HttpServer;
let silent: Server;
const sockets = new Set<Socket>();
const portOf = (server: Server | HttpServer) => (server.address() as AddressInfo).port;

beforeAll(async () => {
  if (withoutRedisServer === undefined) redis = await startRedis();
  flagServer = createHttpServer((request, response) => {
    if (request.url !== "/events") return void response.end(JSON.stringify(firstDocument));
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": hello\n\n");
  }).listen(0, "127.0.0.1");
  // Takes every connection and never says a word.
  silent = createTcpServer((socket) => void sockets.add(socket.on("error", () => {}))).listen(0, "127.0.0.1");
  await Promise.all([once(flagServer, "listening"), once(silent, "listening")]);
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  flagServer.closeAllConnections();
  flagServer.close();
  silent.close();
  await redis?.stop();
});

test(
  "after close no provider leaves a timer, a socket or a watcher, whether its source is up, down or silent: the process ends by itself [NC-7]",
  { timeout: 120_000 },
  async () => {
    const args = [
      `http://127.0.0.1:${portOf(flagServer)}`,
      `http://127.0.0.1:${portOf(silent)}`,
      ...(redis === undefined ? [] : [redis.url]),
    ];
    const child = spawn(
      process.execPath,
      ["--conditions=@hebra/source", "--import", "tsx", join(import.meta.dirname, "nothing-left.fixture.ts"), ...args],
      {
        cwd: join(import.meta.dirname, "../../../.."),
        stdio: ["ignore", "pipe", "inherit"],
        // Newer releases of Node.js run tsx in the main thread, where the files of its cache would count as held.
        env: { ...process.env, TSX_DISABLE_CACHE: "1" },
      },
    );
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => void (text += chunk.toString()));
    const [code] = (await once(child, "close")) as [number];
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { name: string; left: string[] });
    expect(code).toBe(0);
    expect(lines.filter(({ left }) => left.length > 0)).toEqual([]);
    expect(lines).toHaveLength(redis === undefined ? 8 : 13);
  },
);

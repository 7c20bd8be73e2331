import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { createFlags } from "../../client/create-flags.ts";
import { staticProvider } from "../static.ts";
import { ofrepClient } from "./ofrep.ts";

const flags = createFlags({
  provider: staticProvider({ flags: {}, rollouts: { "engine v2": { version: 4, allow: { org: ["acme"] } } } }),
});

/** An OFREP server over our own decisions: paths, statuses and bodies as the protocol's OpenAPI document has them. */
async function serve() {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const json = (status: number, body: unknown, headers = {}) =>
        response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
      seen.push(`${request.method} ${request.url} ${request.headers["if-none-match"] ?? "-"}`);
      const { context } = JSON.parse(Buffer.concat(chunks).toString()) as {
        context: { targetingKey?: string; session?: string; org?: string };
      };
      const evaluate = (key: string) => {
        const { mode, reason, flagVersion } = flags.decide(key, context);
        return { key, value: mode, variant: mode, reason, metadata: { flagVersion } };
      };
      const key = /^\/ofrep\/v1\/evaluate\/flags\/(.+)$/.exec(request.url ?? "")?.[1];
      if (request.headers.authorization === undefined) return void response.writeHead(401).end();
      if (context.targetingKey === undefined)
        return void json(400, { key, errorCode: "TARGETING_KEY_MISSING", errorDetails: "no targeting key" });
      if (key === "text") return void json(200, { key, value: "blue" });
      if (key === "broken") return void json(500, { errorDetails: "no" });
      if (key !== undefined) {
        if (!flags.keys().includes(decodeURIComponent(key)))
          return void json(404, { key, errorCode: "FLAG_NOT_FOUND" });
        return void json(200, evaluate(decodeURIComponent(key)));
      }
      if (request.headers["if-none-match"] === '"4"') return void response.writeHead(304).end();
      json(200, { flags: flags.keys().map(evaluate) }, { etag: '"4"' });
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => void server.close() };
}

describe("ofrepClient", () => {
  test("evaluates one flag, all flags with an ETag, and gives a router its target", async () => {
    const { seen, url, close } = await serve();
    const client = ofrepClient({ url: `${url}/`, headers: { authorization: "Bearer t" } });
    expect(await client.evaluate("engine v2", { session: "s", org: "acme" })).toEqual({
      key: "engine v2",
      value: "new",
      variant: "new",
      reason: "TARGETING_MATCH",
      metadata: { flagVersion: 4 },
    });
    expect(await client.target("engine v2", { session: "s" })).toBe("legacy");
    const first = await client.evaluateAll({ session: "s", org: "acme" });
    expect(first).toEqual([expect.objectContaining({ key: "engine v2", value: "new" })]);
    expect(await client.evaluateAll({ session: "s", org: "acme" })).toBe(first);
    expect((await client.evaluateAll({ session: "s" }))[0]?.value).toBe("legacy");
    expect(seen).toEqual([
      "POST /ofrep/v1/evaluate/flags/engine%20v2 -",
      "POST /ofrep/v1/evaluate/flags/engine%20v2 -",
      "POST /ofrep/v1/evaluate/flags -",
      'POST /ofrep/v1/evaluate/flags "4"',
      "POST /ofrep/v1/evaluate/flags -",
    ]);
    close();
  });

  test("says what went wrong, by the protocol's code or by the status", async () => {
    const { url, close } = await serve();
    const client = ofrepClient({ url, headers: { authorization: "Bearer t" } });
    await expect(client.evaluate("nobody", { session: "s" })).rejects.toMatchObject({ code: "FLAG_NOT_FOUND" });
    await expect(client.evaluate("engine v2", {})).rejects.toMatchObject({ code: "TARGETING_KEY_MISSING" });
    await expect(client.evaluate("broken", { session: "s" })).rejects.toMatchObject({
      code: "UNREACHABLE",
      retryable: true,
    });
    await expect(client.target("text", { session: "s" })).rejects.toMatchObject({ code: "TYPE_MISMATCH" });
    await expect(ofrepClient({ url }).evaluate("engine v2", { session: "s" })).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
    });
    close();
    await expect(ofrepClient({ url: "http://127.0.0.1:1" }).evaluate("f", { session: "s" })).rejects.toMatchObject({
      code: "UNREACHABLE",
    });
    const hanging = ofrepClient({
      url: "http://flags.test",
      timeoutMs: 20,
      fetch: (_, init) =>
        new Promise((__, reject) => init?.signal?.addEventListener("abort", () => reject(new Error("aborted")))),
    });
    await expect(hanging.evaluate("f", { session: "s" })).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringContaining("within 20 ms") as string,
    });
  });
});

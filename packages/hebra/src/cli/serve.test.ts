import assert from "node:assert/strict";
import { connect } from "node:net";
import { afterAll, beforeAll, test } from "vitest";
import { serve, type Serving } from "./serve.ts";

let server: Serving;
const seen: string[] = [];
beforeAll(async () => {
  server = await serve(
    async (request) => {
      seen.push(`${request.method} ${request.url}`);
      return new Response("ok");
    },
    { port: 0, host: "127.0.0.1" },
  );
});
afterAll(() => server.close());

/** Sends bytes that no HTTP client would, and returns the status of the answer. */
function raw(head: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(server.port, "127.0.0.1", () => socket.write(`${head}\r\nconnection: close\r\n\r\n`));
    socket.on("data", (chunk) => (answer += chunk.toString()));
    socket.on("close", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0)));
    socket.on("error", reject);
  });
}

test("a host or a path that is not valid is 400, and reaches no handler [BU-11]", async () => {
  for (const host of ["a b", "a/b", "a@b", "user:pw@host", "[::1", "a:99999", "a:b", "", "ho\tst", "%zz", "a?b", "a#b"])
    assert.equal(await raw(`GET / HTTP/1.1\r\nhost: ${host}`), 400, host);
  assert.deepEqual(seen, []);
  for (const host of ["localhost", "127.0.0.1:80", "[::1]:8080", "desk.example"])
    assert.equal(await raw(`GET /%zz HTTP/1.1\r\nhost: ${host}`), 200, host);
});

test("TRACE is 405, and an address in the request line does not choose the host [BU-11]", async () => {
  assert.equal(await raw("TRACE / HTTP/1.1\r\nhost: localhost"), 405);
  seen.length = 0;
  assert.equal(await raw("GET http://other.example/x HTTP/1.1\r\nhost: localhost"), 200);
  assert.equal(await raw("GET //other.example/y HTTP/1.1\r\nhost: localhost"), 200);
  assert.equal(await raw("OPTIONS * HTTP/1.1\r\nhost: localhost"), 200);
  assert.deepEqual(seen, [
    "GET http://localhost/x",
    "GET http://localhost//other.example/y",
    "OPTIONS http://localhost/",
  ]);
});

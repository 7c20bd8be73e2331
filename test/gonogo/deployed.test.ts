import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineThread } from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";
import { createRuntime, httpChannel } from "@hebra/thread/runtime";
import { memoryStore } from "@hebra/thread/store/memory";
import type { GoNoGoReport } from "@hebra/thread/testing";
import { afterAll, beforeAll, test } from "vitest";
import { root } from "../../scripts/lib/paths.mjs";

/** Processes are started, on a machine that may be busy. In milliseconds. */
const PATIENCE = 120_000;
const TRIGGER = JSON.stringify({ id: "go-no-go", chat: "go-no-go", text: "Go or no go?" });

const directory = mkdtempSync(join(tmpdir(), "hebra-gonogo-url-"));
const desk = defineThread({ name: "desk", reactor: scriptedReactor({ steps: [{ text: "Go." }], repeatLast: true }) });
const runtime = createRuntime({ threads: [desk], store: memoryStore() });
const web = httpChannel({
  name: "web",
  authorize: (request) =>
    request.headers.get("authorization") === "Bearer operator" ? { chat: "go-no-go" } : undefined,
});
const server = createServer((request, response) => {
  void answer(request).then(async ({ status, body }) => void response.writeHead(status).end(Buffer.from(await body)));
});
let url = "";

/** A deployed host: a probe, and the channel. */
async function answer(request: IncomingMessage): Promise<{ status: number; body: ArrayBuffer | Promise<ArrayBuffer> }> {
  if (request.url === "/health") return { status: (await runtime.health()).ready ? 200 : 503, body: new ArrayBuffer() };
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const response = await web.handler(
    new Request(`http://host${request.url}`, {
      method: request.method!,
      headers: {
        authorization: request.headers.authorization ?? "",
        "content-type": request.headers["content-type"] ?? "",
      },
      ...(request.method === "POST" ? { body: Buffer.concat(chunks) } : {}),
    }),
  );
  return { status: response.status, body: response.arrayBuffer() };
}

beforeAll(async () => {
  await runtime.gateway({ channels: [web] });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await runtime.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Runs `pnpm gonogo` as an operator would. */
function gonogo(...args: string[]): Promise<{ code: number; output: string; report: GoNoGoReport | undefined }> {
  const file = join(directory, "verdict.json");
  rmSync(file, { force: true });
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--conditions=@hebra/source", "--import", "tsx", join(root, "test/gonogo/main.ts"), "--json", file, ...args],
      { cwd: root },
      (error, stdout, stderr) => {
        let report: GoNoGoReport | undefined;
        try {
          report = JSON.parse(readFileSync(file, "utf8")) as GoNoGoReport;
        } catch {
          // It did not get so far.
        }
        resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr, report });
      },
    );
  });
}

/** A module of the host's own: how many of its probes are well. */
function ownChecks(bound: number): string {
  const file = join(directory, `checks-${bound}.mjs`);
  writeFileSync(
    file,
    `export const checks = [{ bar: "probes", phase: "own", unit: "probes", relation: ">=", bound: ${bound}, measure: async () => ({ value: (await fetch("${url}/health")).ok ? 1 : 0 }) }];\n`,
  );
  return file;
}

test(
  "a host that does not let the operator in, and a bar of its own that does not hold, are no go",
  { timeout: PATIENCE },
  async () => {
    const shut = await gonogo("--url", url, "--read", "/health", "--write", "/messages", "--trigger", TRIGGER);
    assert.equal(shut.code, 1, shut.output);
    assert.match(shut.output, /^NO GO$/m);
    assert.deepEqual(shut.report!.verdict["write-trigger"], {
      value: null,
      bound: 10_000,
      unit: "ms",
      ok: false,
      note: "/messages answered 401.",
    });

    const checks = ownChecks(2);
    const short = await gonogo("--url", url, "--read", "/health", "--checks", checks);
    assert.equal(short.code, 1, short.output);
    assert.equal(short.report!.verdict["probes"]!.ok, false);
    assert.equal(short.report!.verdict["read-endpoint"]!.ok, true);
  },
);

test(
  "a deployed host is a go: one read, one trigger that it takes once however often it is sent, and checks of its own",
  { timeout: PATIENCE },
  async () => {
    const checks = ownChecks(1);
    const args = [
      "--url",
      url,
      "--read",
      "/health",
      "--trigger",
      TRIGGER,
      "--header",
      "authorization: Bearer operator",
      "--checks",
      checks,
    ];
    // The second time nobody answers any more: the message is known.
    for (const path of ["/messages?wait=5000", "/messages"]) {
      const { code, output, report } = await gonogo(...args, "--write", path);
      assert.equal(code, 0, output);
      assert.match(output, /^GO$/m);
      assert.deepEqual(
        report!.phases.map(({ name, ok, bars }) => ({ name, ok, bars })),
        [
          { name: "deployed", ok: true, bars: ["read-endpoint", "write-trigger"] },
          { name: "own", ok: true, bars: ["probes"] },
        ],
      );
      const bar = report!.verdict["write-trigger"]!;
      assert.ok(bar.ok && bar.unit === "ms" && bar.value! <= bar.bound);
    }
    await runtime.drain();
    const history = await runtime.engine.history({ key: "web:go-no-go" });
    assert.deepEqual(
      history.map(({ item }) => item.kind),
      ["trigger", "reaction"],
    );
  },
);

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HebraError } from "./errors.ts";
import { errorSignature } from "./signature.ts";

const of = (error: unknown, component = "worker") => errorSignature(error, { component });
/** An error whose stack is given, so that only what the test varies differs. */
const at = (stack: string, message = "boom") =>
  Object.assign(new Error(message), { stack: `Error: ${message}\n${stack}` });
const coded = (fields: object) => Object.assign(at("    at run (/srv/app/run.js:1:1)"), fields);

describe("the code", () => {
  test.each<[string, unknown, string]>([
    ["a Hebra code", new HebraError("THREAD_BUSY", "x"), "THREAD_BUSY"],
    ["Node's", coded({ code: "ECONNRESET" }), "ECONNRESET"],
    ["a database's", coded({ code: "42P01" }), "42P01"],
    ["an HTTP status", coded({ status: 429 }), "HTTP_429"],
    ["a status code", coded({ statusCode: 503 }), "HTTP_503"],
    ["a response's status", coded({ response: { status: 500 } }), "HTTP_500"],
    ["a cause's", new TypeError("fetch failed", { cause: coded({ code: "ENOTFOUND" }) }), "ENOTFOUND"],
    ["a code before a status", coded({ status: 400, code: "rate_limited" }), "rate_limited"],
    ["no success", coded({ status: 200 }), "UNKNOWN"],
    ["no text for a code", coded({ code: "what went wrong is long" }), "UNKNOWN"],
    ["no number for a code", coded({ code: 7 }), "UNKNOWN"],
    [
      "a group's first",
      Object.assign(new AggregateError([coded({ code: "ECONNREFUSED" })]), { stack: "" }),
      "ECONNREFUSED",
    ],
    ["nothing", "text", "UNKNOWN"],
    ["null", null, "UNKNOWN"],
  ])("is %s", (_what, error, code) => {
    expect(of(error)).toMatchObject({ v: 1, code, component: "worker" });
  });

  test("may be given", () => {
    expect(errorSignature(new Error("x"), { component: "c", code: "AI_FAILED" }).code).toBe("AI_FAILED");
  });
});

describe("what separates", () => {
  const frame = "    at run (/srv/app/run.js:1:1)";
  const base = () => of(at(frame, "boom")).fingerprint;

  test("unknown errors of one workflow: by message, by function, by component, by host", () => {
    const prints = [
      base(),
      of(at(frame, "bang")).fingerprint,
      of(at("    at walk (/srv/app/run.js:1:1)", "boom")).fingerprint,
      of(at(frame, "boom"), "gateway").fingerprint,
      of(at(frame, "getaddrinfo ENOTFOUND a.example.com")).fingerprint,
      of(at(frame, "getaddrinfo ENOTFOUND b.example.com")).fingerprint,
      of(new TypeError("fetch failed", { cause: at(frame, "getaddrinfo ENOTFOUND a.example.com") })).fingerprint,
      of(new TypeError("fetch failed", { cause: at(frame, "getaddrinfo ENOTFOUND b.example.com") })).fingerprint,
      of("boom").fingerprint,
      of({ reason: 1 }).fingerprint,
      of(undefined).fingerprint,
    ];
    expect(new Set(prints).size).toBe(prints.length);
    for (const print of prints) expect(print).toMatch(/^[0-9a-f]{64}$/);
  });

  test("but not ids, numbers, times, paths, line numbers, machines, builds", () => {
    const same = (a: Error, b: Error) =>
      expect(of(a)).toMatchObject({ fingerprint: of(b).fingerprint, message: of(b).message });
    same(
      at(frame, "order 17 of 6f1e7c0a-1111-4111-8111-111111111111 at 2026-01-01T00:00:00Z"),
      at(frame, "order 4242 of 0b6a42f2-2222-4222-9222-222222222222 at 2026-05-05T10:10:10Z"),
    );
    same(at(frame), at("    at run (file:///home/ada/dev/app/src/run.ts:99:7)"));
    same(at(frame), at("    at async Object.run (C:\\build\\dist\\chunk-A1B2C3D4.js:5000:12)"));
    same(
      at(frame),
      at(
        "    at run2 (/srv/app/node_modules/.pnpm/@hebra+thread@1.0.0_abc/node_modules/@hebra/thread/dist/index.js:1:1)",
      ),
    );
    same(
      at(frame),
      at(
        "    at node:internal/process/task_queues:95:5\n    at new Promise (<anonymous>)\n    at run (/srv/app/run.js:1:1)\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
      ),
    );
    same(at(frame, "token=abc failed"), at(frame, "token=xyz123 failed"));
  });

  test("frames are for people: functions and base names, three at most", () => {
    const stack =
      "    at async Store.save [as write] (/a/b/store.ts:1:2)\n    at new Engine (/a/b/engine.mjs:3:4)\n    at /a/b/anonymous-file.js:5:6\n    at fourth (/x.js:1:1)";
    expect(of(at(stack)).frames).toEqual(["save (store)", "Engine (engine)", "(anonymous-file)"]);
    expect(of(at("    at evil (/x.js:1:1)", "multi\n    at forged (/y.js:1:1)\nline")).frames).toEqual(["evil (x)"]);
    expect(of(at("    at sk-abcdefghijklmnopqrstuv (/x.js:1:1)")).frames.join()).not.toContain("abcdefghijkl");
    expect(
      of(
        Object.defineProperty(new Error("x"), "stack", {
          get() {
            throw new Error("no");
          },
        }),
      ).frames,
    ).toEqual([]);
  });
});

test("hostile errors give a signature all the same", () => {
  const hostile = Object.assign(new Error("x"), { cause: null as unknown });
  hostile.cause = hostile;
  expect(of(hostile).message).toBe("x");
  const throwing = new Proxy(new Error("y"), {
    get() {
      throw new Error("no");
    },
  });
  expect(of(throwing)).toMatchObject({ code: "UNKNOWN", frames: [] });
});

describe("across processes and builds", () => {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "hebra-signature-"));
    const engine = (suffix: string) =>
      `export async function run() { return await save${suffix}(7); }\nasync function save${suffix}(n) { await null; throw new TypeError(\`order \${n} at \${Date.now()} not saved by \${process.pid}\`); }\n`;
    mkdirSync(join(directory, "src"));
    mkdirSync(join(directory, "dist"));
    writeFileSync(join(directory, "src", "engine.mjs"), engine(""));
    writeFileSync(
      join(directory, "dist", "chunk-Q7RZ2KXM.mjs"),
      `\n\n// bundled\nexport const version = "1";\n${engine("2")}`,
    );
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const signed = async (file: string) => {
    const code = `import { errorSignature } from "@hebra/core";
      const { run } = await import(${JSON.stringify(pathToFileURL(join(directory, file)).href)});
      console.log(JSON.stringify(await run().catch((error) => errorSignature(error, { component: "engine" }))));`;
    const child = await promisify(execFile)(
      process.execPath,
      ["--import", "tsx", "--conditions=@hebra/source", "--input-type=module", "-e", code],
      { cwd: join(root, "packages/bus") },
    );
    return JSON.parse(child.stdout) as { fingerprint: string; frames: string[]; message: string };
  };

  test("one error has one fingerprint", async () => {
    const [first, second, bundled] = await Promise.all([
      signed("src/engine.mjs"),
      signed("src/engine.mjs"),
      signed("dist/chunk-Q7RZ2KXM.mjs"),
    ]);
    expect(first).toEqual(second);
    expect(first).toMatchObject({
      message: "TypeError: order <n> at <n> not saved by <n>",
      frames: expect.arrayContaining(["save (engine)", "run (engine)"]),
    });
    expect(bundled.fingerprint).toBe(first.fingerprint);
  }, 30_000);
});

import { createManualClock, HebraError } from "@hebra/core";
import { once } from "node:events";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { notifyAll, type Notice } from "../rollout/notifier.ts";
import { FLAG } from "../rollout/rollout-world.fixture.ts";
import { serveAdmin, tokens, type AdminServer } from "./admin.fixture.ts";
import { fileAudit, verifyAudit } from "./audit.ts";
import { fileFlagDocuments } from "./documents.ts";

let admin: AdminServer;
let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "hebra-admin-"))));
afterEach(async () => {
  await admin?.close();
  await rm(directory, { recursive: true, force: true });
});

/** What a raw request is answered, byte for byte. */
async function raw(text: string): Promise<string> {
  const socket = connect(Number(new URL(admin.url).port), "127.0.0.1");
  let answer = "";
  socket.setEncoding("utf8").on("data", (data: string) => void (answer += data));
  socket.on("error", () => undefined);
  socket.write(text);
  await once(socket, "close");
  return answer;
}

describe("malformed requests", () => {
  it.each([
    ["a host with a space", "GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n"],
    ["a host with an impossible port", "GET /healthz HTTP/1.1\r\nHost: x:99999\r\n\r\n"],
    ["a method that no Request may have", "TRACE /healthz HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["an absolute target with an impossible port", "GET http://x:99999/ HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["a target that is no URL", "GET http:// HTTP/1.1\r\nHost: x\r\n\r\n"],
  ])("%s gets 400, and the process goes on [FL-3]", async (_, text) => {
    admin = await serveAdmin();
    expect(await raw(text)).toMatch(/^HTTP\/1\.1 400 /);
    expect((await admin.call(undefined, "GET", "/healthz")).status).toBe(200);
  });

  it("a path of two slashes is a path: 401 without a token, 404 with one [FL-3]", async () => {
    admin = await serveAdmin();
    const ask = (authorization: string) =>
      raw(`GET // HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${authorization}\r\n`);
    expect(await ask("")).toMatch(/^HTTP\/1\.1 401 /);
    expect(await ask(`Authorization: Bearer ${tokens.reader}\r\n`)).toMatch(/^HTTP\/1\.1 404 /);
  });

  it.each(["constructor", "__proto__", "toString", "hasOwnProperty"])("a flag named %s is not there", async (key) => {
    admin = await serveAdmin();
    for (const path of [`/v1/flags/${key}`, `/v1/flags/${key}/rollout`])
      expect((await admin.call("reader", "GET", path)).status).toBe(404);
    const { body } = await admin.call("reader", "POST", "/v1/explain", { flag: key, context: { session: "s" } });
    expect(body).toMatchObject({ decision: { mode: "legacy", ruleId: "not-found" } });
    // A rollout of that name takes no other flag's document along.
    const plan = { owner: "team" };
    await admin.call("ana", "POST", `/v1/flags/${key}/rollout/start`, { reason: "r", plan });
    expect((await admin.call("reader", "GET", "/v1/document")).status).toBe(200);
  });

  it.each([
    [{ version: 1, allow: { org: { constructor: 1 } } }],
    [{ version: 1, canary: { percent: "10" } }],
    [[]],
    [7],
    ["x"],
    [null],
  ])("an entry that cannot be decided by is 400, before anything is sampled: %j", async (rollout) => {
    admin = await serveAdmin();
    const answer = await admin.call("ana", "PUT", `/v1/flags/${FLAG}`, { reason: "r", rollout }, { "if-match": "*" });
    expect([answer.status, (answer.body as { code: string }).code]).toEqual([400, "FLAG_INVALID"]);
    const misspelt = { reason: "r", rolout: { version: 1 } };
    const refused = await admin.call("ana", "PUT", `/v1/flags/${FLAG}`, misspelt, { "if-match": "*" });
    expect(refused).toMatchObject({ status: 400, body: { detail: expect.stringContaining("`rollout`") as string } });
  });

  it("a body over the limit gets 413 after a megabyte, whoever sends it and whether or not it says its length [FL-17]", async () => {
    admin = await serveAdmin();
    const path = `/v1/flags/${FLAG}/rollout/start`;
    const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tokens.reader}\r\n`;
    expect(await raw(`${head}Content-Length: 400000000\r\n\r\n{`)).toMatch(/^HTTP\/1\.1 413 /);
    const socket = connect(Number(new URL(admin.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    let answer = "";
    socket.setEncoding("utf8").on("data", (data: string) => void (answer += data));
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    let sent = 0;
    while (!socket.destroyed && answer === "" && sent < 400_000_000) {
      if (!socket.write(chunk))
        await Promise.race([once(socket, "drain"), once(socket, "close")]).catch(() => undefined);
      sent += 0x10000;
    }
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(sent).toBeLessThan(20_000_000);
  });
});

describe("preconditions", () => {
  it("compare as RFC 9110 says: a weak tag never matches If-Match, a list does, and an unreadable one is not met [FL-20]", async () => {
    admin = await serveAdmin();
    const etag = (await admin.call("ana", "GET", `/v1/flags/${FLAG}`)).headers.get("etag")!;
    const put = (ifMatch: string) =>
      admin.call(
        "ana",
        "PUT",
        `/v1/flags/${FLAG}`,
        { reason: "r", rollout: { version: 1, allow: { org: ["beta"] } } },
        { "if-match": ifMatch },
      );
    expect((await put(`W/${etag}`)).status).toBe(412);
    expect((await put(etag.replaceAll('"', ""))).status).toBe(412);
    expect((await put(`"other", ${etag}`)).status).toBe(200);
    const { headers } = await admin.call("reader", "GET", "/v1/document");
    const again = { "if-none-match": `"other", W/${headers.get("etag")}` };
    expect((await admin.call("reader", "GET", "/v1/document", undefined, again)).status).toBe(304);
    const start = (ifMatch: string) =>
      admin.call(
        "ana",
        "POST",
        `/v1/flags/${FLAG}/rollout/start`,
        { reason: "r", plan: { owner: "t" } },
        { "if-match": ifMatch },
      );
    for (const unmet of ['W/"0"', '"seven"', '"7"']) expect([409, 412]).toContain((await start(unmet)).status);
    expect((await start('"0"')).status).toBe(200);
  });
});

describe("the audit in a file", () => {
  const entry = {
    at: "2026-01-01T00:00:00Z",
    actor: "ana",
    action: "set",
    flag: "f",
    reason: "r",
    from: "",
    to: "",
    revision: 1,
  } as const;

  it("misses entries that were cut off at its end [FL-15]", async () => {
    const path = join(directory, "audit.jsonl");
    const audit = fileAudit(path);
    for (let at = 0; at < 3; at++) await audit.append(entry);
    const text = await readFile(path, "utf8");
    verifyAudit(await audit.list(), await audit.head!());
    await writeFile(path, text.split("\n").slice(0, 2).join("\n") + "\n");
    const [entries, head] = [await audit.list(), await audit.head!()];
    verifyAudit(entries);
    expect(() => verifyAudit(entries, head)).toThrow(/entry 3 was written: entries were removed/);
  });

  it("is one chain also when two write, and after a line that a crash tore [FL-15]", async () => {
    const path = join(directory, "audit.jsonl");
    const [a, b] = [fileAudit(path), fileAudit(path)];
    await Promise.all(Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? a : b).append(entry)));
    await appendFile(path, '{"sequence":21,"at":"20');
    await a.append(entry);
    const entries = await b.list();
    expect(entries).toHaveLength(21);
    verifyAudit(entries, await b.head!());
  });

  it("that fails leaves the kill's answer true [FL-15]", async () => {
    const failed: unknown[] = [];
    const audit = { append: () => Promise.reject(new HebraError("STORE_FAILED", "disk full")), list: async () => [] };
    admin = await serveAdmin({ audit, onError: (error) => void failed.push(error) });
    const { status, body } = await admin.call("ana", "POST", `/v1/flags/${FLAG}/kill`, { reason: "errors" });
    expect([status, body]).toEqual([200, { key: FLAG, killed: true, by: "document", audited: false }]);
    expect(failed).toHaveLength(1);
  });
});

describe("two admins on one file", () => {
  it("lose no acknowledged kill [FL-8]", async () => {
    const open = () => ({
      documents: fileFlagDocuments(join(directory, "flags.json")),
      audit: fileAudit(join(directory, "audit.jsonl")),
    });
    admin = await serveAdmin(open());
    const other = await serveAdmin(open());
    const kills = await Promise.all(
      Array.from({ length: 60 }, async (_, at) => {
        const path = `/v1/flags/flag-${at}/kill`;
        const { status } = await (at % 2 === 0 ? admin : other).call("ana", "POST", path, { reason: "r", ahead: true });
        return [`flag-${at}`, status] as const;
      }),
    );
    await other.close();
    const { document } = await open().documents.read();
    const acknowledged = kills.filter(([, status]) => status === 200).map(([key]) => key);
    expect(acknowledged.filter((key) => document.rollouts?.[key]?.kill == null)).toEqual([]);
    expect(acknowledged).toHaveLength(60);
    const { audit } = open();
    const entries = await audit.list();
    verifyAudit(entries, await audit.head!());
    expect(entries).toHaveLength(60);
  }, 60_000);
});

describe("a notice", () => {
  const notice: Notice = { type: "rollout-rolled-back", flag: FLAG, at: "2026-01-01T00:00:00Z", reason: "errors" };

  it("that a webhook refused once is sent again, without holding the rollback up [FL-18]", async () => {
    const clock = createManualClock();
    const [told, errors]: [Notice[], unknown[]] = [[], []];
    let away = true;
    const notifier = (one: Notice) => {
      if (away) throw new HebraError("UNREACHABLE", "The webhook of a notifier answered 503.");
      told.push(one);
    };
    await notifyAll([notifier], notice, (error) => void errors.push(error), clock);
    away = false;
    await clock.advance(1_000);
    expect([told, errors.length, clock.pending()]).toEqual([[notice], 1, 0]);
  });

  it("that nobody takes is given up after its last attempt, and that is told [FL-18]", async () => {
    const clock = createManualClock();
    const errors: string[] = [];
    const fails = () => Promise.reject(new Error("503"));
    await notifyAll([fails], notice, (error) => void errors.push((error as Error).message), clock);
    for (let at = 0; at < 20; at++) await clock.advance(60_000);
    expect(errors).toHaveLength(7);
    expect(errors.at(-1)).toMatch(/was not told of rollout-rolled-back of engine-v2/);
    expect(clock.pending()).toBe(0);
  });
});

import { setTimeout as pause } from "node:timers/promises";
import { startProxy } from "@hebra/test-servers/proxy";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { countingClock } from "../../testing/counting-clock.fixture.ts";
import { firstDocument, providerContract, type ProviderContractHarness } from "../provider.contract.ts";
import { postgresProvider } from "./postgres-provider.ts";
import { postgresFlagWriter } from "./postgres-writer.ts";

const { DATABASE_URL: connectionString = "" } = process.env;
if (connectionString === "") console.warn("skipped: DATABASE_URL is not set");

describe.skipIf(connectionString === "")("postgresProvider", () => {
  let admin: pg.Pool;
  let count = 0;
  const schemas: string[] = [];
  beforeAll(() => void (admin = new pg.Pool({ connectionString })));
  afterAll(async () => {
    for (const schema of schemas) await admin.query(`drop schema if exists ${schema} cascade`);
    await admin.end();
  });

  async function harness(more: { readonly pollMs?: number; readonly listen?: boolean } = {}) {
    const schema = `flags_${process.pid}_${++count}`;
    schemas.push(schema);
    const clock = countingClock();
    const writer = postgresFlagWriter({ connectionString, schema });
    await writer.write(firstDocument);
    const real = new URL(connectionString);
    const proxy = await startProxy(Number(real.port || 5432));
    const through = new URL(connectionString);
    through.host = `127.0.0.1:${proxy.port}`;
    through.searchParams.set("application_name", schema);
    const own: ProviderContractHarness = {
      connect: () => postgresProvider({ connectionString: through.href, schema, clock, pollMs: 200, ...more }),
      publish: async (document) => void (await writer.write(document)),
      corrupt: async () =>
        void (await admin.query(`update ${schema}.flag_documents set document = '{', revision = 77`)),
      async cutOff() {
        proxy.pointAt(1);
        // Also a connection that is being opened.
        proxy.cut();
      },
      restore: async () => proxy.pointAt(Number(real.port || 5432)),
      elapse: () => pause(15),
      timers: () => clock.pending(),
    };
    return { ...own, schema, writer, end: async () => void (await Promise.all([writer.close(), proxy.stop()])) };
  }

  describe("fulfils the contract", () => {
    for (const [title, clause] of Object.entries(providerContract)) {
      test(title, async () => {
        const own = await harness();
        await clause(own);
        await own.end();
      });
    }
  });

  test.each([
    ["a notification", { pollMs: 600_000, listen: true }],
    ["polling behind a pooler", { pollMs: 200, listen: false }],
  ] as const)("learns of a write through %s, within a second", async (_, more) => {
    const { connect, writer, end } = await harness(more);
    const provider = connect();
    await provider.load();
    let heard: (() => void) | undefined;
    const next = () => new Promise<void>((resolve) => void (heard = resolve));
    const began = next();
    provider.watch!(() => heard?.());
    // The first write also finds out whether the listening has begun.
    for (let version = 2; version < 40; version++) {
      await writer.write({ flags: {}, rollouts: { contract: { version } } });
      if (await Promise.race([began.then(() => true), pause(50).then(() => false)])) break;
    }
    const told = next();
    const from = performance.now();
    await writer.write({ flags: {}, rollouts: { contract: { version: 99 } } });
    await told;
    expect(performance.now() - from).toBeLessThan(1_000);
    await provider.close();
    await end();
  });

  test("of two writers at one revision one is refused, and a write without a revision is never lost", async () => {
    const { schema, writer, end } = await harness();
    const other = postgresFlagWriter({ connectionString, schema });
    const { revision } = await writer.read();
    const results = await Promise.allSettled([
      writer.write({ flags: {}, rollouts: { a: { version: 1 } } }, revision),
      other.write({ flags: {}, rollouts: { b: { version: 1 } } }, revision),
    ]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(results.find((one) => one.status === "rejected")?.reason).toMatchObject({ code: "REVISION_CONFLICT" });
    await Promise.all(Array.from({ length: 10 }, (_, at) => [writer, other][at % 2]!.write({ flags: {} })));
    expect((await writer.read()).revision).toBe(revision + 11);
    await Promise.all([end(), other.close()]);
  });
});

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { redisBus, type RedisBus } from "./redis.ts";
import { drained, publishLoad, startWorker, verifyLog, verifyReplies } from "./testing/load.fixture.ts";
import { freshNamespace } from "./testing/redis-harness.fixture.ts";

const SESSIONS = 20;
const EACH = 15;

describe.skipIf(withoutRedisServer !== undefined)(
  "faults, with a real server and real processes",
  { timeout: 90_000 },
  () => {
    let server: TestRedis;
    let namespace: string;
    let bus: RedisBus;
    const workers: ChildProcess[] = [];
    const open = () => (bus = redisBus({ url: server.url, namespace, leaseMs: 1_000, requestTimeoutMs: 2_000 }));
    beforeAll(async () => {
      server = await startRedis(["--appendonly", "yes", "--appendfsync", "always"]);
    });
    afterAll(() => server.stop());
    afterEach(async () => {
      for (const worker of workers.splice(0)) {
        worker.kill("SIGCONT");
        worker.kill("SIGKILL");
      }
      await bus.close();
    });
    const begin = async (count: number, handleMs = 5) => {
      namespace = freshNamespace();
      open();
      workers.push(
        ...(await Promise.all(
          Array.from({ length: count }, (_, i) => startWorker(server.url, namespace, `w${i}`, handleMs)),
        )),
      );
    };

    it("a killed worker's conversations go on elsewhere; no key is left when all is done", async () => {
      await begin(3, 30);
      const load = publishLoad(bus, SESSIONS, EACH, 20);
      await new Promise((resolve) => setTimeout(resolve, 300));
      workers[0]!.kill("SIGKILL");
      await once(workers[0]!, "exit");
      await load;
      await drained(bus);
      await verifyLog(server.admin, namespace, SESSIONS, EACH);
      await verifyReplies(bus, SESSIONS, EACH);
      const lasting = async () => {
        const keys = await server.admin.keys(`${namespace}:{*`);
        const ttls = await Promise.all(keys.map((key) => server.admin.pttl(key)));
        // Windows of ids, memories of requests and notices end by themselves; the fence and the gateways' names stay.
        return keys.filter((_, i) => ttls[i]! < 0).map((key) => key.slice(key.indexOf("}") + 2));
      };
      await eventually(
        async () => (await lasting()).every((key) => ["f", "gws", "in:wake", "out:g:wake"].includes(key)),
        `only lasting keys: ${(await lasting()).join(" ")}`,
      );
    });

    it("a process that comes and goes leaves no key that stays", async () => {
      namespace = freshNamespace();
      for (let n = 0; n < 5; n++) {
        open();
        await bus.publishInbound({ session: "a", payload: n });
        const consumer = bus.consumeInbound();
        await (await consumer.next()).value!.ack();
        await bus.close();
      }
      const keys = await server.admin.keys(`${namespace}:{*:n:*`);
      expect(await Promise.all(keys.map((key) => server.admin.pttl(key)))).not.toContain(-1);
    });

    it("a stopped worker is passed over, and its late write is fenced off when it continues", async () => {
      await begin(2, 200);
      await publishLoad(bus, SESSIONS, 2);
      await eventually(async () => (await bus.stats()).inbound.inFlight >= SESSIONS, "both workers are busy");
      workers[0]!.kill("SIGSTOP");
      await drained(bus);
      workers[0]!.kill("SIGCONT");
      await new Promise((resolve) => setTimeout(resolve, 500));
      await verifyLog(server.admin, namespace, SESSIONS, 2);
      await verifyReplies(bus, SESSIONS, 2);
    });

    it("a restarted server loses nothing: publishing fails closed, readiness is false, all resumes by itself", async () => {
      await begin(2);
      const load = publishLoad(bus, SESSIONS, EACH, 40);
      await new Promise((resolve) => setTimeout(resolve, 200));
      await server.kill();
      await eventually(() => bus.health().state === "unreachable", "readiness is false");
      await expect(bus.publishInbound({ session: "probe", payload: 1 })).rejects.toMatchObject({ code: "UNREACHABLE" });
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await server.restart();
      await load;
      await eventually(() => bus.health().ready, "readiness is true again");
      // The probe may have been sent after all, once the server was back.
      await drained(bus);
      await verifyLog(server.admin, namespace, SESSIONS, EACH);
    });

    it("SCRIPT FLUSH and CLIENT KILL under load change nothing", async () => {
      await begin(2);
      const load = publishLoad(bus, SESSIONS, EACH, 20);
      let over = false;
      const faults = (async () => {
        for (let i = 0; !over; i++) {
          await server.admin.call("SCRIPT", "FLUSH");
          if (i % 3 === 0) await server.admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
          await new Promise((resolve) => setTimeout(resolve, 60));
        }
      })();
      await load;
      over = true;
      await faults;
      await drained(bus);
      await verifyLog(server.admin, namespace, SESSIONS, EACH);
      await verifyReplies(bus, SESSIONS, EACH);
    });

    it("a drained worker leaves without a lost or repeated message", async () => {
      await begin(2, 20);
      const load = publishLoad(bus, SESSIONS, EACH, 15);
      await new Promise((resolve) => setTimeout(resolve, 200));
      workers[0]!.kill("SIGTERM");
      await once(workers[0]!, "exit");
      await load;
      await drained(bus);
      expect((await verifyLog(server.admin, namespace, SESSIONS, EACH)).repeated).toBe(0);
    });
  },
);

import { redisBus } from "@hebra/bus/redis";
import BeeQueue from "bee-queue";
import { Queue as BullQueue, Worker as BullWorker } from "bullmq";
import { Queue as GroupQueue, Worker as GroupWorker } from "groupmq";
import { Redis } from "ioredis";

/** What is carried: 256 bytes of text, in one of 50 conversations. */
export interface Payload {
  text: string;
  at: number;
}

/** A queue opened on an empty server. */
export interface Opened {
  publish(conversation: string, payload: Payload): Promise<unknown>;
  /** Starts to handle; `done` is called when a message was handled and settled. */
  consume(concurrency: number, handle: (payload: Payload) => void): Promise<void>;
  close(): Promise<void>;
}

/** A queue to be compared. */
export type OpenSubject = (server: { url: string; port: number }) => Promise<Opened>;

const connection = (port: number) => ({ host: "127.0.0.1", port, maxRetriesPerRequest: null });
let queues = 0;
const freshName = () => `bench${++queues}`;

const hebra: OpenSubject = async ({ url }) => {
  const publisher = redisBus({ url, namespace: freshName(), maxBacklog: 1_000_000 });
  await publisher.ready();
  let ids = 0;
  return {
    publish: (session, payload) =>
      publisher.publishInbound({ session, id: `message-${++ids}-0123456789abcdef`, payload: payload as never }),
    async consume(concurrency, handle) {
      const deliveries = publisher.consumeInbound({ concurrency });
      void (async () => {
        for await (const delivery of deliveries) {
          handle(delivery.messages[0]!.payload as unknown as Payload);
          delivery.ack().catch(() => {});
        }
      })();
    },
    close: () => publisher.close(),
  };
};

const bullmq: OpenSubject = async ({ port }) => {
  const name = freshName();
  const queue = new BullQueue(name, { connection: connection(port), defaultJobOptions: { removeOnComplete: true } });
  await queue.waitUntilReady();
  let worker: BullWorker | undefined;
  let ids = 0;
  return {
    publish: (_conversation, payload) => queue.add("m", payload, { jobId: `message-${++ids}-0123456789abcdef` }),
    async consume(concurrency, handle) {
      worker = new BullWorker(name, async (job) => handle(job.data as Payload), {
        connection: connection(port),
        concurrency,
      });
      await worker.waitUntilReady();
    },
    async close() {
      await worker?.close(true);
      await queue.close();
    },
  };
};

const groupmq: OpenSubject = async ({ port }) => {
  const redis = new Redis(connection(port));
  const queue = new GroupQueue<Payload>({ redis, namespace: freshName() });
  let worker: GroupWorker<Payload> | undefined;
  let ids = 0;
  return {
    publish: (groupId, data) => queue.add({ groupId, data, jobId: `message-${++ids}-0123456789abcdef` }),
    async consume(concurrency, handle) {
      worker = new GroupWorker<Payload>({ queue, handler: async (job) => handle(job.data), concurrency });
      void worker.run();
    },
    async close() {
      await worker?.close(100).catch(() => {});
      redis.disconnect();
    },
  };
};

const beeQueue: OpenSubject = async ({ port }) => {
  const queue = new BeeQueue<Payload>(freshName(), {
    redis: { host: "127.0.0.1", port },
    removeOnSuccess: true,
    sendEvents: false,
    getEvents: false,
    storeJobs: false,
  });
  await queue.ready();
  return {
    publish: (_conversation, payload) => queue.createJob(payload).save(),
    async consume(concurrency, handle) {
      queue.process(concurrency, async (job: { data: Payload }) => handle(job.data));
    },
    close: () => queue.close(100).catch(() => {}) as Promise<void>,
  };
};

/** Everything that is compared, by name. */
export const subjects = {
  "@hebra/bus": hebra,
  BullMQ: bullmq,
  GroupMQ: groupmq,
  "bee-queue": beeQueue,
} satisfies Record<string, OpenSubject>;

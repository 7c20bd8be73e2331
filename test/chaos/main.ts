/**
 * `pnpm chaos`: three worker processes, fifty users, and everything that goes wrong with them. The verdict comes from the
 * store, from the channel, and from a log that the workers write themselves.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { consoleLogger, silentLogger } from "@hebra/core";
import { openRuntime, openStore, parseRuntimeConfig, type Channel, type RuntimeConfig } from "@hebra/thread/runtime";
import { threads } from "./app.ts";
import { phases, talk, type Stage } from "./phases.ts";
import { startRedis, startWorkers } from "./processes.ts";
import { now, type Absence, type LogLine, type PhaseReport, type Received } from "./records.ts";
import { deepTenant } from "./deep-tenant.ts";
import { verify } from "./verify.ts";

const WORKERS = 3;
const USERS = 50;
const LEASE_MS = 2_000;

const { values } = parseArgs({ options: { quick: { type: "boolean" }, json: { type: "string" }, only: { type: "string" }, verbose: { type: "boolean" } } });
const quick = values.quick === true;
const each = quick ? 4 : 12;
const directory = mkdtempSync(join(tmpdir(), "hebra-chaos-"));
const log = join(directory, "events.log");
const configFile = join(directory, "config.json");
writeFileSync(log, "");

const redis = await startRedis(directory);
const namespace = `chaos${process.pid}`;
const database = process.env["DATABASE_URL"];
const config: RuntimeConfig = {
  bus: { backend: "redis", url: redis.url, namespace, leaseMs: LEASE_MS, maxAttempts: 10 },
  locks: { backend: "redis", url: redis.url, namespace },
  store: database === undefined ? { backend: "sqlite", path: join(directory, "threads.sqlite") } : { backend: "postgres", url: database, schema: namespace, migrations: "automatic" },
  workers: WORKERS,
  oneHost: true,
  sweepMs: LEASE_MS * 2,
};
writeFileSync(configFile, JSON.stringify(config));

const absences: Absence[] = [];
const replies: Received[] = [];
const channel: Channel = {
  name: "chaos",
  start: async () => {},
  stop: async () => {},
  send: async ({ session, text }) => void replies.push({ session, text, at: now() }),
};
const store = await openStore(parseRuntimeConfig(config).store);
const runtime = await openRuntime(config, { threads, logger: values.verbose === true ? consoleLogger() : silentLogger });
const processes = startWorkers({ config: configFile, log, absences, verbose: values.verbose === true });
const reports: PhaseReport[] = [];
const bars: Record<string, { value: number; bound: number; unit: string; ok: boolean }> = {};
const readLog = () => readFileSync(log, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line) as LogLine);

/** Waits until nothing is queued or under way, or the time is over. */
async function quiet(ms: number): Promise<boolean> {
  for (const until = now() + ms; now() < until; ) {
    const stats = await runtime.bus.stats().catch(() => undefined);
    if (stats !== undefined && [stats.inbound, stats.outbound].every(({ depth, inFlight }) => depth + inFlight === 0)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

function bar(name: string, value: number, bound: number, unit: string): void {
  bars[name] = { value, bound, unit, ok: value <= bound };
}

try {
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => processes.start()));
  const gateway = await runtime.gateway({ channels: [channel], embeddedWorker: false });
  const stage: Stage = { gateway, runtime, redis, workers, startWorker: () => processes.start(), replies, leaseMs: LEASE_MS, quick };
  // Code that has never run is slow, and no fault.
  await talk(stage, { name: "warm-up" }, USERS, 2);
  await quiet(30_000);
  for (const phase of phases.filter(({ name }) => values.only === undefined || values.only.split(",").includes(name))) {
    const startedAt = now();
    const [sent, note] = await Promise.all([talk(stage, phase, USERS, each), phase.fault?.(stage)]);
    const settled = await quiet(60_000);
    // Marks of the outbox, and the last log lines of those who were late.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const found = await verify(sent, store, readLog(), replies, absences);
    const report: PhaseReport = { ...found, deadLetters: (await runtime.bus.stats()).dead, ms: Math.round(now() - startedAt) };
    if (typeof note === "string" || !settled) report.note = [typeof note === "string" ? note : "", settled ? "" : "not quiet after 60 s"].filter(Boolean).join("; ");
    reports.push(report);
    const { orderViolations, overlaps, lost, doubleCommits, misdelivered } = report;
    console.log(`${phase.name.padEnd(20)}${report.messages} messages  order ${orderViolations}  overlaps ${overlaps}  lost ${lost}  double ${doubleCommits}  mixed ${misdelivered}  repeated ${report.repeatedReplies}  refused ${report.refusedAnswers}  p50 ${report.p50}  p95 ${report.p95}  p99 ${report.p99}  max ${report.max} ms${report.note === undefined ? "" : `  (${report.note})`}`);
  }
  if (values.only === undefined || values.only.includes("deep-tenant")) {
    const ratio = await deepTenant(stage, quick ? 800 : 8_000);
    console.log(`deep-tenant         p50 of the other tenant: ${ratio.alone.toFixed(1)} ms alone, ${ratio.beside.toFixed(1)} ms beside it`);
    bar("deep-tenant-p50", Math.round((ratio.beside / ratio.alone) * 100) / 100, 3, "times");
    await quiet(120_000);
  }
  const sum = (pick: (report: PhaseReport) => number) => reports.reduce((total, report) => total + pick(report), 0);
  bar("order-violations", sum(({ orderViolations }) => orderViolations), 0, "messages");
  bar("overlaps", sum(({ overlaps }) => overlaps), 0, "turns");
  bar("lost", sum(({ lost }) => lost), 0, "messages");
  bar("double-commits", sum(({ doubleCommits }) => doubleCommits), 0, "turns");
  bar("mixed-conversations", sum(({ misdelivered }) => misdelivered), 0, "messages");
  bar("dead-letters", reports.at(-1)?.deadLetters ?? 0, 0, "messages");
  for (const report of reports) {
    if (report.phase === "calm") bar("latency-p95", report.p95, 50, "ms");
    if (report.phase === "worker-killed") bar("recovery", report.max, LEASE_MS + 5_000, "ms");
    if (report.phase === "slow-session") bar("slow-session-p50", report.p50, 50, "ms");
  }
} finally {
  processes.stopAll();
  await runtime.close().catch(() => undefined);
  await store.close().catch(() => undefined);
  await redis.stop();
  rmSync(directory, { recursive: true, force: true });
}

const correctness = ["order-violations", "overlaps", "lost", "double-commits", "mixed-conversations"];
for (const [name, { value, bound, unit, ok }] of Object.entries(bars)) console.log(`${ok ? "ok    " : "MISSED"} ${name} ${value} (bound ${bound} ${unit})`);
const verdict = { area: "chaos", at: new Date().toISOString(), versions: { node: process.version, store: store.name }, workers: WORKERS, users: USERS, quick, phases: reports, verdict: bars };
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(verdict, null, 2)}\n`);
if (correctness.some((name) => bars[name]?.ok !== true)) process.exitCode = 1;

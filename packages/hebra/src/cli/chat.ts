import { wholeNumber, type Output, type Report } from "@hebra/cli-kit";
import { consoleLogger, createIdGenerator, sleep, systemClock } from "@hebra/core";
import {
  openRuntime,
  parseRuntimeConfig,
  terminalChannel,
  type Runtime,
  type TerminalChannel,
} from "@hebra/thread/runtime";
import { loadApp, loadConfig, partsOf } from "./app.ts";
import type { CliOptions } from "./options.ts";

/** Milliseconds between two looks whether all is answered. */
const LOOK_EVERY_MS = 20;

/** `hebra chat`: a gateway whose only channel is this terminal. */
export async function chat(options: CliOptions, output: Output, signal: AbortSignal): Promise<Report> {
  const app = await loadApp(options.app);
  const config = await loadConfig(options.config);
  const deadlineMs = wholeNumber("deadline", options.deadline, 30_000);
  const concurrency = wholeNumber("concurrency", options.concurrency, 10);
  // What is said here is for a person to read: only what is wrong goes beside it.
  const runtime = await openRuntime(config, {
    ...partsOf(app),
    logger: consoleLogger({ level: "warn", write: (line) => output.log(line) }),
  });
  const terminal = terminalChannel({
    ...(options.session === undefined ? {} : { session: options.session }),
    decide: async (approvalId, decision, comment) => {
      await runtime.engine[decision](approvalId, { by: "hebra chat", comment });
    },
  });
  try {
    const shared = parseRuntimeConfig(config).bus.backend !== "local";
    // On a shared bus others chat too, and each must get its own answers.
    const id = shared ? `chat-${createIdGenerator()()}` : "chat";
    await runtime.gateway({
      id,
      channels: [terminal],
      embeddedWorker: options["no-worker"] === true ? false : { concurrency },
    });
    const aborted = new Promise<"interrupt">((resolve) =>
      signal.aborted
        ? resolve("interrupt")
        : signal.addEventListener("abort", () => resolve("interrupt"), { once: true }),
    );
    if ((await Promise.race([terminal.ended, aborted])) === "end") {
      const late = new AbortController();
      const over = sleep(systemClock, deadlineMs, late.signal).catch(() => undefined);
      await Promise.race([terminal.answered(), shared ? over : quiet(runtime, terminal, late.signal), over, aborted]);
      late.abort();
    }
    await runtime.drain({ deadlineMs });
    return { report: { stopped: "chat" }, text: "" };
  } finally {
    await runtime.close();
  }
}

/** Resolves when nothing waits and nobody works: what was said then is answered, or waits for a person. */
async function quiet(runtime: Runtime, terminal: TerminalChannel, signal: AbortSignal): Promise<void> {
  await terminal.taken();
  while (!signal.aborted) {
    const { inbound } = await runtime.bus.stats();
    if (inbound.depth === 0) return;
    await sleep(systemClock, LOOK_EVERY_MS, signal).catch(() => undefined);
  }
}

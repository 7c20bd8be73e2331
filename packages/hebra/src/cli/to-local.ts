import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { wholeNumber, type Output, type Report } from "@hebra/cli-kit";
import { HebraError } from "@hebra/core";
import {
  moveToLocal,
  parseRuntimeConfig,
  undoMoveToLocal,
  type MoveReport,
  type RuntimeConfig,
} from "@hebra/thread/runtime";
import { loadApp, loadConfig } from "./app.ts";
import { lineOf, seconds, unfinished } from "./move-progress.ts";
import { withFlags } from "./flags/with-flags.ts";
import type { CliOptions } from "./options.ts";

/** `hebra to-local` */
export async function toLocal(options: CliOptions, output: Output, signal: AbortSignal): Promise<Report> {
  if (options.config === undefined)
    throw new HebraError(
      "INVALID_OPTIONS",
      "Pass --config: the configuration of the deployment that is to become local.",
    );
  const place = await openPlace(options.config);
  const config = await loadConfig(place.before);
  if (options.undo === true) {
    await undoMoveToLocal({ config, directory: place.directory });
    return { report: { undone: true }, text: "The intake is open again. Start the processes again that were stopped." };
  }
  const app = await loadApp(options.app);
  const json = options.json === true;
  const out = options.out ?? options.config;
  try {
    const report = await moveToLocal({
      config,
      threads: app.threads,
      ...(app.route === undefined ? {} : { route: app.route }),
      path: options.path ?? ".hebra/threads.sqlite",
      directory: place.directory,
      drainMs: wholeNumber("drain", options.drain, 60_000),
      deadlineMs: wholeNumber("deadline", options.deadline, 300_000),
      signal,
      onProgress: (progress) => (json ? output.json(progress) : output.print(lineOf(progress))),
      switchOver: async (local) =>
        writeWhole(out, `${JSON.stringify(await withFlags(local, place.before), null, 2)}\n`),
    });
    return {
      report: { ok: true, config: out, directory: place.directory, ...report },
      text: summary(report, out, place.directory),
    };
  } catch (error) {
    throw unfinished(error);
  }
}

function summary({ ms, moved, contexts, deadLetters }: MoveReport, out: string, directory: string): string {
  return [
    `moved in ${seconds(ms)}: ${contexts} conversations, ${moved.queued} waiting messages, ${moved.scheduled} for later, ${moved.replies} unsent replies`,
    ...(deadLetters === 0 ? [] : [`${deadLetters} dead letters are in ${join(directory, "dead-letters.jsonl")}`]),
    `Now end the old gateways and workers, and start: hebra gateway --config ${out}`,
  ].join("\n");
}

/**
 * Where a move keeps its notes, with the configuration as it was before. A move that has ended makes room for the next.
 */
async function openPlace(config: string): Promise<{ directory: string; before: string }> {
  const directory = `${config}.to-local`;
  const before = join(directory, "config.before.json");
  const text = await readFile(config, "utf8").catch((error: unknown) => {
    throw new HebraError("INVALID_OPTIONS", `The configuration ${config} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  });
  const isLocal = backendOf(text, config) === "local";
  if (isLocal && !existsSync(before))
    throw new HebraError("INVALID_OPTIONS", `The configuration ${config} is local already.`);
  if (isLocal) return { directory, before };
  if (existsSync(join(directory, "done")))
    await rename(directory, `${directory}.${new Date().toISOString().replaceAll(":", "-")}`);
  if (!existsSync(before)) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeWhole(before, text);
  }
  return { directory, before };
}

function backendOf(text: string, path: string): string {
  try {
    return (JSON.parse(text) as RuntimeConfig).bus?.backend ?? parseRuntimeConfig({}).bus.backend;
  } catch (error) {
    throw new HebraError("INVALID_OPTIONS", `The configuration ${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** A whole file or the one before, also when the machine stops in the middle. */
async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const mode = await stat(path).then(
    (found) => found.mode,
    () => 0o600,
  );
  const file = await open(temporary, "w", mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

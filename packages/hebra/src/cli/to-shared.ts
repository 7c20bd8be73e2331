import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { wholeNumber, type Output, type Report } from "@hebra/cli-kit";
import { HebraError } from "@hebra/core";
import { moveToShared, undoMoveToShared, type MoveToSharedReport } from "@hebra/thread/runtime";
import { loadConfig } from "./app.ts";
import { lineOf, seconds, unfinished } from "./move-progress.ts";
import type { CliOptions } from "./options.ts";

/** `hebra to-shared` */
export async function toShared(options: CliOptions, output: Output, signal: AbortSignal): Promise<Report> {
  if (options.config === undefined)
    throw new HebraError("INVALID_OPTIONS", "Pass --config: the configuration with the shared bus, locks and store.");
  const config = await loadConfig(options.config);
  const directory = `${options.config}.to-shared`;
  const from = options.path === undefined ? {} : { path: options.path };
  if (options.undo === true) {
    await undoMoveToShared({ config, directory, ...from });
    await setAside(directory);
    return { report: { undone: true }, text: "The local intake is open again. Restart the local process." };
  }
  const json = options.json === true;
  try {
    const report = await moveToShared({
      config,
      directory,
      ...from,
      drainMs: wholeNumber("drain", options.drain, 60_000),
      deadlineMs: wholeNumber("deadline", options.deadline, 300_000),
      signal,
      onProgress: (progress) => (json ? output.json(progress) : output.print(lineOf(progress))),
    });
    return { report: { ok: true, directory, ...report }, text: summary(report, options.config) };
  } catch (error) {
    throw unfinished(error);
  }
}

/** The notes of a move that was undone make room for the next. */
async function setAside(directory: string): Promise<void> {
  if (existsSync(join(directory)))
    await rename(directory, `${directory}.${new Date().toISOString().replaceAll(":", "-")}`);
}

function summary({ ms, contexts, published }: MoveToSharedReport, config: string): string {
  return [
    `moved in ${seconds(ms)}: ${contexts} conversations, ${published.woken} of them with waiting turns, ${published.unsent} with unsent replies`,
    `Now end the local process, and start: hebra gateway --config ${config}`,
  ].join("\n");
}

import { HebraError } from "@hebra/core";
import type { DataPart, Role, TranscriptPart } from "../transcript.ts";
import { fileNote } from "./files.ts";
import type { PromptOptions } from "./prompt-options.ts";

/** A part in words, for messages that hold nothing but words. Empty when there is nothing to say. */
export function partWords(part: TranscriptPart, role: Role, options: PromptOptions): string {
  switch (part.kind) {
    case "text":
      return part.text;
    case "data":
      return dataWords(part, role, options);
    case "file":
      return fileNote(part);
    case "action":
      return JSON.stringify({
        action: part.name,
        input: part.input,
        ...(part.status === "succeeded" ? { output: part.output ?? null } : { error: part.error ?? "failed" }),
      });
    case "reasoning":
    case "source":
      return "";
    default:
      throw unknownPart(part);
  }
}

/** The words for a data part. */
export function dataWords(part: DataPart, role: Role, options: PromptOptions): string {
  return options.dataToText === undefined
    ? JSON.stringify({ name: part.name, data: part.data })
    : (options.dataToText(part, role) ?? "");
}

/** The refusal of a part of a later version. */
export function unknownPart(part: never): HebraError {
  return new HebraError(
    "UNSUPPORTED",
    `The transcript has a part of the kind ${JSON.stringify((part as { kind?: unknown }).kind)}, which aiSdkReactor does not know. Upgrade @hebra/reactor.`,
  );
}

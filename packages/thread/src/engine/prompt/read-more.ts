import { HebraError, type JsonValue } from "@hebra/core";
import type { TranscriptPart } from "@hebra/reactor";
import * as z from "zod";
import { defineAction, type ActionContext, type AnyAction } from "../../definition/define-action.ts";
import type { ActionMap } from "../../definition/define-thread.ts";
import type { HistoryEntry, ThreadStore } from "../../store/store.ts";
import type { BlobStore } from "../blobs/blob-store.ts";
import { isKeptElsewhere } from "../blobs/spilled.ts";
import { outputText, parseReference, partsOf, READ_MORE, referenceOf } from "./references.ts";

const PIECE_CHARACTERS = 12_000;
/** What a piece has around its text. */
const FRAME_CHARACTERS = 160;
const LISTED_ITEMS = 50;
const LISTED_CHARACTERS = 80;

const input = z.object({
  reference: z
    .string()
    .optional()
    .describe('What to read, as the conversation names it, such as "12.3". Without it, earlier messages are listed.'),
  offset: z.int().nonnegative().optional().describe("Which character to read from. 0 when left out."),
  after: z.int().nonnegative().optional().describe("For a list: the number before the point of its last reference."),
});

/** Where what is read is kept. */
export interface ReadMoreOptions {
  store: Pick<ThreadStore, "history">;
  blobs: BlobStore | undefined;
  /** A result of more characters would be shortened itself. */
  maxResultCharacters: number;
}

/** The actions of a step and, unless they have one of that name, the one that reads what is shown in part. */
export function withReadMore(actions: ActionMap, options: ReadMoreOptions): ActionMap {
  return READ_MORE in actions ? actions : { ...actions, [READ_MORE]: readMore(options) };
}

const made = new WeakMap<object, Map<number, AnyAction>>();

function readMore(options: ReadMoreOptions): AnyAction {
  const ofStore = made.get(options.store) ?? new Map<number, AnyAction>();
  made.set(options.store, ofStore);
  const known = ofStore.get(options.maxResultCharacters);
  if (known !== undefined) return known;
  const action = defineAction<z.infer<typeof input>, JsonValue>({
    description:
      "Reads on in a result or message of which this conversation shows only the beginning, by the reference given there; or lists earlier messages and results with their references.",
    input,
    effect: "read",
    execute: (asked, context) =>
      asked.reference === undefined ? list(options, asked.after, context) : read(options, asked, context),
  });
  ofStore.set(options.maxResultCharacters, action);
  return action;
}

async function read(
  options: ReadMoreOptions,
  { reference = "", offset = 0 }: z.infer<typeof input>,
  { ids }: ActionContext,
): Promise<JsonValue> {
  const place = parseReference(reference);
  const [entry] =
    place === undefined
      ? []
      : await options.store.history(ids.tenant, ids.contextId, {
          after: place.seq - 1,
          before: place.seq + 1,
          limit: 1,
        });
  const text = entry === undefined ? undefined : await textAt(options, ids.tenant, entry, place!.index);
  if (text === undefined)
    throw new HebraError(
      "ACTION_INPUT_INVALID",
      `There is no ${JSON.stringify(reference)} in this conversation. Leave the reference out to list what there is.`,
    );
  const size = Math.min(PIECE_CHARACTERS, options.maxResultCharacters - FRAME_CHARACTERS);
  const end = Math.min(text.length, offset + size);
  const next = end < text.length ? ` Next: {"reference": "${reference.trim()}", "offset": ${end}}.` : "";
  return `${text.slice(offset, end).toWellFormed()}\n[Characters ${offset} to ${end} of ${text.length}.${next}]`;
}

async function textAt(
  { blobs }: ReadMoreOptions,
  tenant: string,
  entry: HistoryEntry,
  index: number,
): Promise<string | undefined> {
  const part = partsOf(entry).find((one) => one.index === index)?.part;
  if (part === undefined) return undefined;
  const row = entry.parts.find((one) => one.index === index);
  if (part.kind === "action" && isKeptElsewhere(part.output) && row?.id === part.output.$blob) {
    const whole = await blobs?.get({ tenant, contextId: row.contextId, id: row.id });
    if (whole !== undefined) return whole;
    throw new HebraError("ACTION_FAILED", "That result is no longer kept; only its beginning is.");
  }
  return wordsOf(part);
}

function wordsOf(part: TranscriptPart): string {
  switch (part.kind) {
    case "text":
    case "reasoning":
      return part.text;
    case "action":
      return part.status === "succeeded" ? outputText(part.output) : (part.error ?? "");
    case "data":
      return outputText(part.data);
    case "source":
      return [part.title, part.url].filter((word) => word !== undefined).join(" ");
    case "file":
      return `${part.mediaType} ${part.filename ?? ""}`.trim();
  }
}

async function list(options: ReadMoreOptions, after: number | undefined, { ids }: ActionContext): Promise<JsonValue> {
  const entries = await options.store.history(ids.tenant, ids.contextId, { after: after ?? 0, limit: LISTED_ITEMS });
  const earlier = entries.flatMap((entry) =>
    partsOf(entry)
      .filter(({ part }) => part.kind !== "reasoning")
      .map(({ index, part }) => ({
        reference: referenceOf(entry.item.seq!, index),
        ...(part.kind === "action" ? { action: part.name } : { from: entry.item.role }),
        begins: wordsOf(part).slice(0, LISTED_CHARACTERS).toWellFormed(),
      })),
  );
  const last = entries.at(-1)?.item.seq;
  return {
    earlier,
    ...(entries.length === LISTED_ITEMS && last != null ? { next: { after: last } } : {}),
  };
}

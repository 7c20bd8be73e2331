import { digest, HebraError } from "@hebra/core";
import { fromList, parseFlagDocument, readFlagText, type ReadDocument } from "./document.ts";
import type { FlagDocument } from "./types.ts";

let known: { readonly text: string; readonly read: ReadDocument } | undefined;

const MAPS = ["flags", "rollouts"] as const;
type Entries = Readonly<Record<string, unknown>>;

/**
 * Reads what a store holds for somebody who is going to change it: flags that cannot be used take no other along.
 *
 * @throws HebraError `STORE_FAILED` when it is no flag document at all
 */
export function readStored(text: string): ReadDocument {
  // A writer reads the same text several times for one change.
  if (known?.text === text) return known.read;
  try {
    const read = readFlagText(text);
    known = { text, read };
    return read;
  } catch (cause) {
    const why = HebraError.isInstance(cause) ? ` ${cause.message}` : "";
    throw new HebraError("STORE_FAILED", `What is stored is no flag document. Repair or replace it.${why}`, { cause });
  }
}

/**
 * A changed document as it is stored. Entries that changed are checked in full. Those that nobody touched stay as they
 * are, also when this build cannot use them.
 *
 * @param before - the stored text; absent: nothing is stored
 * @throws HebraError `FLAG_INVALID` for a changed entry, `STORE_FAILED`
 */
export function changedDocument(before: string | undefined, next: FlagDocument): FlagDocument {
  if (before === undefined) return parseFlagDocument(next);
  const { document } = readStored(before);
  const raw = entriesOf(fromList(JSON.parse(before)));
  const merged: Record<string, Entries> = {};
  const touched: Record<string, Entries> = { flags: {} };
  for (const map of MAPS) {
    const [known, wanted] = [entriesOf(document[map]), entriesOf(next[map])];
    const changed = Object.keys(wanted).filter(
      (key) => !Object.hasOwn(known, key) || digest(known[key]) !== digest(wanted[key]),
    );
    touched[map] = Object.fromEntries(changed.map((key) => [key, wanted[key]]));
    const unusable = Object.entries(entriesOf(raw[map])).filter(
      ([key]) => !Object.hasOwn(known, key) && !Object.hasOwn(wanted, key),
    );
    merged[map] = { ...Object.fromEntries(unusable), ...wanted };
  }
  const { flags: _, rollouts: __, ...rest } = next;
  parseFlagDocument({ ...restChanged(document, rest), ...touched });
  const hasRollouts = next.rollouts !== undefined || Object.keys(merged["rollouts"]!).length > 0;
  return {
    ...next,
    flags: merged["flags"] as FlagDocument["flags"],
    ...(hasRollouts ? { rollouts: merged["rollouts"] as FlagDocument["rollouts"] } : {}),
  } as FlagDocument;
}

/** As {@link changedDocument}; what is no flag document at all is replaced. */
export function replacedDocument(before: string | undefined, next: FlagDocument): FlagDocument {
  try {
    if (before !== undefined) readStored(before);
  } catch {
    return parseFlagDocument(next);
  }
  return changedDocument(before, next);
}

/** Shared rules are somebody else's as long as nobody changes them. */
function restChanged(document: FlagDocument, rest: object): object {
  return Object.fromEntries(
    Object.entries(rest).filter(([name, value]) => digest(value) !== digest(entriesOf(document)[name] ?? null)),
  );
}

function entriesOf(value: unknown): Entries {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Entries) : {};
}

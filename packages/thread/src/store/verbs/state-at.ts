import type { DurableEvent } from "../../stream/envelope.ts";
import type { ItemRow } from "../rows.ts";
import type { StateDocument } from "../store.ts";
import { journal, type StoredContext } from "../tables.ts";
import { placeInLine } from "./contexts.ts";
import { contextOf } from "./guard.ts";
import { readJournal } from "./history.ts";
import { find, type Verb } from "./op.ts";

/** The events that carry a document. */
const tells: ReadonlySet<DurableEvent["type"]> = new Set(["context-created", "context-changed"]);
/** How much of the journal is read in one go. */
const PAGE = 100;

/** The state document as it was at an item, read off the journal of the context that the item is in. */
export function* stateAt(tenant: string, contextId: string, itemId: string): Verb<StateDocument> {
  const { owner, item } = yield* placeInLine(tenant, yield* contextOf(tenant, contextId, false), itemId);
  const upTo = item.kind === "reaction" ? yield* endOfTurn(tenant, item) : item.seq;
  return (
    (yield* lastRecorded(tenant, owner, upTo)) ?? (yield* firstRecorded(tenant, owner, upTo)) ?? document(owner, owner)
  );
}

/** The last event of a reaction's own turn: what a turn changes belongs to its reaction. */
function* endOfTurn(tenant: string, item: ItemRow & { seq: number }): Verb<number> {
  let last = item.seq;
  for (;;) {
    const page = yield* readJournal(tenant, item.contextId, last, PAGE);
    for (const { seq, executionId } of page) {
      if (executionId !== item.executionId) return last;
      last = seq;
    }
    if (page.length < PAGE) return last;
  }
}

/** The document that the newest event up to a sequence number tells of. */
function* lastRecorded(tenant: string, owner: StoredContext, upTo: number): Verb<StateDocument | undefined> {
  // The write in which the number was given may have gone on beyond it.
  const [covering] = yield* find(journal, "after", [tenant, owner.id], {
    range: { is: ">", values: [upTo - 1] },
    limit: 1,
  });
  let rows = covering === undefined ? [] : [covering];
  for (let below = upTo - 1; ; below = rows.at(-1)!.lastSeq - 1) {
    for (const { events } of rows) {
      const told = events.findLast((event) => event.seq <= upTo && tells.has(event.type) && "state" in event.data);
      if (told !== undefined) return document(told.data, owner);
    }
    rows = yield* find(journal, "after", [tenant, owner.id], {
      range: { is: "<=", values: [below] },
      descending: true,
      limit: PAGE,
    });
    if (rows.length === 0) return undefined;
  }
}

/** Of a context that was brought in with its document: what the first change found. */
function* firstRecorded(tenant: string, owner: StoredContext, after: number): Verb<StateDocument | undefined> {
  for (let last = after; ;) {
    const page = yield* readJournal(tenant, owner.id, last, PAGE);
    const told = page.find(({ type, data }) => tells.has(type) && "before" in data);
    if (told !== undefined) return document({ ...told.data, state: told.data["before"]! }, owner);
    if (page.length < PAGE) return undefined;
    last = page.at(-1)!.seq;
  }
}

/** An event of an older build does not say of which version its document is. */
function document({ state, stateVersion }: DurableEvent["data"] | StateDocument, owner: StoredContext): StateDocument {
  return { state: state!, stateVersion: typeof stateVersion === "number" ? stateVersion : owner.stateVersion };
}

/** A text in messages of a length that the other side takes, cut between lines or words where it can be. */
export function pieces(text: string, longest: number): string[] {
  const found: string[] = [];
  let rest = text;
  while (rest.length > longest) {
    const window = rest.slice(0, longest);
    const cut = Math.max(window.lastIndexOf("\n"), window.lastIndexOf(" "));
    let end = cut > longest / 2 ? cut : longest;
    // Never through the middle of a surrogate pair.
    if (end === longest && /[\uD800-\uDBFF]/.test(rest[end - 1]!)) end--;
    found.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...found, rest];
}

/** Replies of several messages that were sent in part, remembered at most. */
const MAX_BEGUN = 1_000;

/**
 * Sends the messages of one reply, and after a failure goes on where it stopped: while the process lives, none is sent
 * twice.
 */
export function createPieceSender(): (
  replyId: string,
  all: readonly string[],
  send: (piece: string, index: number) => Promise<void>,
) => Promise<void> {
  const begun = new Map<string, number>();
  return async (replyId, all, send) => {
    for (let index = begun.get(replyId) ?? 0; index < all.length; index++) {
      await send(all[index]!, index);
      begun.set(replyId, index + 1);
      if (begun.size > MAX_BEGUN) begun.delete(begun.keys().next().value!);
    }
    begun.delete(replyId);
  };
}

/** The entity tags of a header, as RFC 9110 writes them; `undefined` when it is none of its forms. */
function parse(header: string): readonly { readonly weak: boolean; readonly tag: string }[] | "*" | undefined {
  if (header.trim() === "*") return "*";
  const tags = [...header.matchAll(/(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g)];
  const rest = header.replace(/(W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g, "").replace(/[,\s]/g, "");
  return rest !== "" || tags.length === 0
    ? undefined
    : tags.map(([, weak, tag]) => ({ weak: weak !== undefined, tag: tag! }));
}

/** `If-Match`: a strong comparison, which a weak tag never passes. `exists` says whether there is anything at all. */
export function ifMatches(header: string, etag: string, exists: boolean): boolean {
  const tags = parse(header);
  if (tags === "*") return exists;
  return tags?.some(({ weak, tag }) => !weak && tag === etag) ?? false;
}

/** `If-None-Match`: a weak comparison. */
export function noneMatches(header: string | null, etag: string): boolean {
  const tags = header === null ? undefined : parse(header);
  return tags === "*" || (tags?.some(({ tag }) => tag === etag) ?? false);
}

/** Where one text is kept. All three are stable: the same result is put under the same name again after a crash. */
export interface BlobName {
  tenant: string;
  contextId: string;
  /** A UUID, unique in the context. */
  id: string;
}

/**
 * Keeps texts that are too large for rows, such as long results of actions: a directory, a bucket, a table. Every
 * process that runs turns has to reach the same ones.
 */
export interface BlobStore {
  /** Keeps a text for good when it resolves. The same name again replaces it with the same text. */
  put(name: BlobName, text: string): Promise<void>;
  /** @returns nothing when there is no text of that name */
  get(name: BlobName): Promise<string | undefined>;
  /** Deletes every text of a context. One that has none is no error. */
  deleteContext(tenant: string, contextId: string): Promise<void>;
}

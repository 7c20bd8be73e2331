/** The keys of one lock. They share a hash tag, and so a slot of a cluster. */
export interface LockKeys {
  /** The token of the holder; it expires with the lease. */
  readonly lock: string;
  /** The last fence; it expires a day after its last use. */
  readonly fence: string;
  /** `lock`, `fence`, who waits in order, and their signs of life. */
  readonly all: readonly [string, string, string, string];
}

/** The keys of a lock: `namespace:lock:{key}` and, after it, what each is for. The key is percent-encoded as in a URI. */
export function lockKeys(namespace: string, key: string): LockKeys {
  const lock = `${namespace}:lock:{${encodeURI(key)}}`;
  const fence = `${lock}:fence`;
  return { lock, fence, all: [lock, fence, `${lock}:line`, `${lock}:alive`] };
}

/**
 * The keys of one lock: the lock itself, who waits in order, and their signs of life. They share a slot of a cluster.
 */
export type LockKeys = readonly [lock: string, line: string, alive: string];

/** `namespace:lock:{key}` and, after it, what each is for. The key is percent-encoded as in a URI. */
export function lockKeys(namespace: string, key: string): LockKeys {
  const lock = `${namespace}:lock:{${encodeURI(key)}}`;
  return [lock, `${lock}:line`, `${lock}:alive`];
}

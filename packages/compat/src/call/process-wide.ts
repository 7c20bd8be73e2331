/**
 * Something that a process has once, whatever copies of this package it loads: an alias of the package's name is
 * another copy
 * beside the one that the new code imports, and both must see one runtime.
 */
export function processWide<T extends object>(name: string, make: () => T): T {
  const held = globalThis as unknown as Record<symbol, T | undefined>;
  return (held[Symbol.for(`hebra.legacy.${name}`)] ??= make());
}

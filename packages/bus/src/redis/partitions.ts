/** The number of slots of a Redis Cluster. */
const SLOTS = 16_384;

/** CRC-16/XMODEM, by which a cluster chooses the slot of a key (Redis Cluster specification, appendix A). */
function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

/** The slot of a hash tag. */
export function slotOf(tag: string): number {
  return crc16(tag) % SLOTS;
}

/**
 * Hash tags whose slots lie in the middle of equal shares of all slots. Names like `0`, `1`, `2` would fall where they
 * will: four of them may leave a third of the masters idle. The same count always gives the same tags.
 */
export function partitionTags(count: number): string[] {
  const wanted = new Map(Array.from({ length: count }, (_, i) => [Math.floor(((i + 0.5) * SLOTS) / count), i]));
  const tags = new Array<string>(count);
  for (let n = 0; wanted.size > 0; n++) {
    const tag = n.toString(36);
    const slot = slotOf(tag);
    const index = wanted.get(slot);
    if (index === undefined) continue;
    tags[index] = tag;
    wanted.delete(slot);
  }
  return tags;
}

/** The partition of a conversation: FNV-1a over its UTF-16 units. Changing it would lose what is in Redis. */
export function partitionOf(conversation: string, count: number): number {
  if (count === 1) return 0;
  let hash = 0x811c9dc5;
  for (let i = 0; i < conversation.length; i++) {
    const unit = conversation.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >> 8), 0x01000193);
  }
  return (hash >>> 0) % count;
}

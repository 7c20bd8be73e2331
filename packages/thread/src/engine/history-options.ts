/** Which part of a history to read. */
export interface HistoryOptions {
  /** The newest items, at most so many; a turn is never cut. */
  items?: number;
  /** Only items before this sequence number: the newest of them. */
  before?: number;
  /** Only items after this sequence number: the oldest of them. */
  after?: number;
  /** How many items a page has, at most. @defaultValue 50 */
  limit?: number;
}

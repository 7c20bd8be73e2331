/** One line of history to be driven on. */
export interface DriveTarget {
  tenant: string;
  threadKey: string;
  contextId: string;
  lockKey: string;
}

/**
 * Does `next` lie after `held`? Positions are `epoch.offset.tag`, and offsets,
 * which do not fit into a number, rise within an epoch. Across epochs nothing
 * can be said, so the server's word is taken: whatever it sends comes after.
 */
export function isAfter(next: string, held: string): boolean {
  const [epoch, offset = ''] = next.split('.');
  const [heldEpoch, heldOffset = ''] = held.split('.');
  if (epoch !== heldEpoch) return true;
  return offset.length - heldOffset.length ? offset.length > heldOffset.length : offset > heldOffset;
}

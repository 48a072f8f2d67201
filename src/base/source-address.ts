import { type BlockList, isIP } from 'node:net';

/**
 * Where a request came from: the connection's own address, or, when that is a declared proxy, the
 * nearest address in X-Forwarded-For that is not one. What a stranger writes into that header
 * counts for nothing.
 */
export function sourceAddress(
  connection: string | undefined,
  forwarded_for: string | undefined,
  trusted_proxies: BlockList,
): string | null {
  let source = plain(connection ?? '');
  const hops = (forwarded_for ?? '').split(',').reverse();
  for (const hop of hops) {
    const next = plain(hop.trim());
    if (!isAmong(source, trusted_proxies) || isIP(next) === 0) break;
    source = next;
  }
  return isIP(source) === 0 ? null : source;
}

/** Whether an address is in the list. */
export function isAmong(address: string, list: BlockList): boolean {
  const version = isIP(address);
  return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

function plain(address: string): string {
  const [without_zone = ''] = address.split('%');
  return without_zone.startsWith('::ffff:') ? without_zone.slice(7) : without_zone;
}

/**
 * Owns: which addresses lead nowhere but into this computer or its own cable. Called by: msrp-relay.ts. Calls: nothing.
 */

/** Every address of this computer. */
export function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** Loopback, link-local, multicast and "any" (RFC 6890); names are judged by the address that they lead to. */
export function isInnerAddress(host: string): boolean {
  const address = host.toLowerCase().replace(/^::ffff:/, '');
  if (address === 'localhost' || address.endsWith('.localhost')) return true;
  const [, first = '', second = ''] = /^(\d{1,3})\.(\d{1,3})\.\d{1,3}\.\d{1,3}$/.exec(address) ?? [];
  if (first !== '') {
    const [a, b] = [Number(first), Number(second)];
    return a === 0 || a === 127 || (a === 169 && b === 254) || a >= 224;
  }
  return /^(::1?|fe[89ab][0-9a-f]:.*|ff[0-9a-f]{2}:.*)$/.test(address);
}

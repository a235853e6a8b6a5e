/**
 * Owns: how a device asks its server to pass something on to the other devices of its user: a MESSAGE to his own address
 * with caller preferences (RFC 3841). Called by: messenger/devices, imserver/device-copies.ts. Calls: sip/headers.ts.
 */
import { splitHeaderList } from '../headers.ts';
import type { SipHeaders } from '../message.ts';

/** The feature tag of a Contact whose device understands copies (RFC 3840 §9, a tree of our own). */
export const COPIES_FEATURE = '+u.parley.copies';

/** With each 200 to a REGISTER and to a copy: how many other devices of the user understand copies. */
export const OTHER_DEVICES_HEADER = 'X-Other-Devices';

/** For those that say that they understand it, and not for the one that sends it. `instance`: `urn:uuid:…`. */
export function copyRequestHeaders(instance: string): Record<string, string> {
  return {
    'Accept-Contact': `*;${COPIES_FEATURE};require;explicit`,
    'Reject-Contact': `*;+sip.instance="<${instance}>"`,
  };
}

/** What a copy asks for; undefined: it is none. `from`: the instance that has sent it, in angle brackets; empty: unknown. */
export function readCopyRequest(headers: SipHeaders): { readonly from: string } | undefined {
  const accepted = headers.getAll('accept-contact').flatMap(splitHeaderList);
  const isCopy = accepted.some((value) =>
    value
      .split(';')
      .slice(1)
      .some((parameter) => parameter.trim().toLowerCase() === COPIES_FEATURE),
  );
  if (!isCopy) return undefined;
  const [from = ''] = headers
    .getAll('reject-contact')
    .flatMap((value) => /\+sip\.instance="(<[^">]{1,200}>)"/i.exec(value)?.[1] ?? []);
  return { from };
}

/** What a server says of other devices; undefined: it keeps no copies. */
export function otherDevicesOf(headers: SipHeaders): number | undefined {
  const text = headers.get(OTHER_DEVICES_HEADER) ?? '';
  return /^\d{1,3}$/.test(text) ? Number(text) : undefined;
}

/**
 * Owns: the address of a `sip:`, `sips:` or `im:` link that the system has handed to us, until the window takes it.
 * Called by: hosts, commands.ts. Calls: address.ts, feed.ts.
 */
import * as v from 'valibot';
import { addressSchema } from '../../shared/domain/ids.ts';
import { toAddress } from '../sip/address.ts';
import type { Feed } from './feed.ts';

const MAX_LINK_CHARS = 500;
const LINK = /^(?:sips?|im):/i;

/** The newest link. What it asks for is only shown to the user: a link adds nobody and sends nothing. */
export class OpenedLink {
  readonly #feed: Pick<Feed, 'publish'>;
  #address: string | null = null;

  constructor(feed: Pick<Feed, 'publish'>) {
    this.#feed = feed;
  }

  /** Arguments of a command line, or a link alone; what is no link is left out. True when there was one. */
  receive(args: readonly string[]): boolean {
    const link = args.find((arg) => LINK.test(arg) && arg.length <= MAX_LINK_CHARS);
    if (link === undefined) return false;
    // RFC 3860 §3: an im: link names a person as a sip: link does; its query is not ours to obey.
    const [uri = ''] = link.replace(/^im:(?:\/\/)?/i, 'sip:').split('?');
    const address = v.safeParse(addressSchema, toAddress(uri));
    if (!address.success) return false;
    this.#address = address.output;
    this.#feed.publish('link.opened', {});
    return true;
  }

  /** The address, once. */
  take(): string | null {
    const address = this.#address;
    this.#address = null;
    return address;
  }
}

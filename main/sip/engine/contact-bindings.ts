/**
 * Owns: which stream connection a registered contact came on, so that requests to it go back there (RFC 5626 §5.3 in
 * spirit). Called by: inbound answers (a 2xx to REGISTER), outbound requests. Calls: sip/headers, sip/uri.
 */
import { SIP_LIMITS } from '../../base/limits.ts';
import { parseNameAddrList } from '../headers.ts';
import type { SipRequest } from '../message.ts';
import { tryParseSipUri, type SipUri } from '../uri.ts';
import type { Flow } from './transport.ts';

function keyOf(uri: SipUri): string {
  return `${uri.user ?? ''}@${uri.host.toLowerCase()}:${uri.port ?? ''}`;
}

/** Contacts that registered over a stream, while that stream lives. */
export class ContactBindings {
  readonly #flows = new Map<string, Flow>();

  /** The application accepted this REGISTER, which came on `flow`. */
  bind(register: SipRequest, flow: Flow): void {
    const { connection } = flow;
    if (connection === undefined || !connection.open) return;
    const contact = register.headers.getAll('contact').join(', ');
    if (contact === '' || contact.trim() === '*') return;
    for (const { uri } of parseNameAddrList(contact)) {
      const parsed = tryParseSipUri(uri);
      if (parsed === undefined || this.#flows.size >= SIP_LIMITS.maxCachedRoutes) continue;
      const key = keyOf(parsed);
      if (this.#flows.get(key)?.connection === connection) continue;
      this.#flows.set(key, flow);
      connection.onClose(() => {
        if (this.#flows.get(key)?.connection === connection) this.#flows.delete(key);
      });
    }
  }

  /** The flow of a contact, when it registered over a stream that is still open. */
  flowTo(uri: SipUri): Flow | undefined {
    const flow = this.#flows.get(keyOf(uri));
    return flow?.connection?.open === true ? flow : undefined;
  }
}

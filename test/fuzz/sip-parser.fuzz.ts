import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../main/base/protocol-error.ts';
import { SipStreamFramer } from '../../main/sip/engine/stream-framing.ts';
import {
  parseAuthValues,
  parseCSeq,
  parseNameAddr,
  parseVia,
  splitHeaderList,
} from '../../main/sip/headers.ts';
import { parseSipMessage, salvageRequest, serialiseSipMessage } from '../../main/sip/message.ts';
import { formatSipUri, parseSipUri, sameSipUri } from '../../main/sip/uri.ts';
import { seedsOf } from './seeds.ts';

const VALID =
  'INVITE sip:bob@example.org;transport=tcp SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport\r\n' +
  'f: "A, \\"B\\"" <sip:a@b;lr>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x@y\r\nCSeq: 1 INVITE\r\n' +
  'Contact: <sip:a@[::1]:5070>;+sip.instance="<urn:uuid:1>"\r\nl: 5\r\n\r\nhello';

/** A valid message with some of its bytes replaced, dropped or doubled. */
const damaged = fc
  .array(
    fc.record({
      at: fc.nat(VALID.length),
      drop: fc.nat(6),
      put: fc.oneof(
        fc.constantFrom('\r\n', '\n', '\r', '"', '<', '>', ';', ',', ':', '@', ' ', '\0', '%', '='),
        fc.string(),
      ),
    }),
    { maxLength: 6 },
  )
  .map((edits) =>
    edits.reduce((text, { at, drop, put }) => text.slice(0, at) + put + text.slice(at + drop), VALID),
  );

const bytes = fc.oneof(
  damaged.map((text) => Buffer.from(text, 'utf8')),
  fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array)),
);

/** Fails the property on anything but a value or a ProtocolError. */
function returnsOrRefuses<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

const KEPT_RUNS = 500;
const SETTINGS = seedsOf('sip-parser').map(({ seed, kept }) =>
  kept
    ? { seed, numRuns: KEPT_RUNS }
    : { seed, numRuns: 100_000, interruptAfterTimeLimit: 1_800, markInterruptAsFailure: false },
);

/** Runs a property with the kept seeds, then for two seconds; a failure says its seed. */
function check<T>(name: string, arbitrary: fc.Arbitrary<T>, property: (value: T) => void): void {
  for (const settings of SETTINGS) {
    const details = fc.check(fc.property(arbitrary, property), settings);
    if (details.failed)
      throw new Error(`${name}: ${fc.defaultReportMessage(details) ?? 'failed'}`, {
        cause: details.errorInstance,
      });
    expect(details.numRuns).toBeGreaterThan(10);
  }
}

describe('whatever the bytes, the SIP parsers return or throw a ProtocolError', () => {
  it('a datagram: and what was read can be written and read again', () => {
    check('parseSipMessage', bytes, (input) => {
      const message = returnsOrRefuses(() => parseSipMessage(input));
      salvageRequest(input);
      if (message === undefined) return;
      const again = parseSipMessage(serialiseSipMessage(message));
      expect(again.body.equals(message.body)).toBe(true);
      expect([...again.headers].length).toBeGreaterThanOrEqual([...message.headers].length - 1);
    });
  });

  it('a stream: the same whether cut or whole', () => {
    check('SipStreamFramer', fc.tuple(bytes, fc.nat(400)), ([input, cut]) => {
      const whole = new SipStreamFramer();
      const items = whole.push(input);
      const cutting = new SipStreamFramer();
      const pieces = [...cutting.push(input.subarray(0, cut)), ...cutting.push(input.subarray(cut))];
      if (whole.fault === undefined) {
        expect(pieces).toEqual(items);
        expect(cutting.fault).toBeUndefined();
      } else {
        expect(cutting.fault).toBeDefined();
        expect(pieces.filter((item) => item !== 'keep-alive')).toEqual(
          items.filter((item) => item !== 'keep-alive'),
        );
      }
    });
  });

  it('header values', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      damaged,
      fc.constantFrom('<', '"', ';', ',', '=', ' ').map((c) => c.repeat(50)),
    );
    check('header values', text, (input) => {
      for (const parse of [parseNameAddr, parseVia, parseCSeq, parseAuthValues])
        returnsOrRefuses(() => parse(input));
      splitHeaderList(input);
    });
  });

  it('URIs: and what was read is the same when written and read again (RFC 3261 §19.1.4)', () => {
    const part = fc.string({
      unit: fc.constantFrom('a', 'B', '1', '%41', '@', ':', ';', '=', '?', '&', '.', '[', ']', '-', 'lr'),
    });
    check(
      'URIs',
      part.map((rest) => `sip:${rest}`),
      (input) => {
        const uri = returnsOrRefuses(() => parseSipUri(input));
        if (uri !== undefined) expect(sameSipUri(uri, parseSipUri(formatSipUri(uri)))).toBe(true);
      },
    );
  });
});

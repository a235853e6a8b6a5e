import { describe, expect, it, vi } from 'vitest';
import type { Catalogue, Entry, MessageKey } from '../../../renderer/i18n/catalogue.ts';
import { catalogues, Locale, preferredLanguage, regionOf } from '../../../renderer/i18n/locale.svelte.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import { errorCodes } from '../../../shared/ipc/error-codes.ts';
import { accountReasonCodes } from '../../../shared/domain/account.ts';
import { sessionEndCodes } from '../../../shared/domain/conversation.ts';

const keys = Object.keys(catalogues.en) as MessageKey[];

function forms(entry: Entry): string[] {
  return typeof entry === 'string' ? [entry] : Object.values(entry);
}

function placeholders(text: string): string[] {
  return [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).sort();
}

function locale(language: keyof typeof catalogues): Locale {
  const made = new Locale();
  made.language = language;
  return made;
}

describe.each(Object.entries(catalogues) as [keyof typeof catalogues, Catalogue][])(
  'catalogue %s',
  (language, catalogue) => {
    it('has every key and no other', () => {
      expect(Object.keys(catalogue).sort()).toEqual([...keys].sort());
    });

    it('has a text with the same placeholders for every key', () => {
      for (const key of keys) {
        const wanted = placeholders(forms(catalogues.en[key]).at(-1)!);
        for (const text of forms(catalogue[key])) {
          expect(text.trim(), key).not.toBe('');
          // A form for exactly one or two may say the number in words.
          const present = new Set(placeholders(text));
          const optional = typeof catalogue[key] === 'string' ? [] : ['count'];
          expect(
            wanted.filter((name) => !present.has(name) && !optional.includes(name)),
            key,
          ).toEqual([]);
          expect(
            [...present].filter((name) => !wanted.includes(name)),
            key,
          ).toEqual([]);
        }
      }
    });

    it('has every plural form of the language', () => {
      const categories = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
      for (const key of keys) {
        const entry = catalogue[key];
        if (typeof entry === 'string') continue;
        expect(Object.keys(entry).sort(), key).toEqual([...categories].sort());
      }
    });

    it('has words for every error code, every end of a session and every reason not to be online', () => {
      for (const code of errorCodes) expect(catalogue).toHaveProperty([`error.${code}`]);
      for (const code of sessionEndCodes) expect(catalogue).toHaveProperty([`end.${code}`]);
      for (const code of accountReasonCodes) expect(catalogue).toHaveProperty([`account.reason.${code}`]);
    });
  },
);

describe('Locale', () => {
  it('takes the first language of the system that there are texts for', () => {
    expect(preferredLanguage(['fr-CH', 'de-CH', 'en'])).toBe('de');
    expect(preferredLanguage(['fr'])).toBe('en');
    expect(preferredLanguage(['zh-Hans-CN'])).toBe('zh');
  });

  it('chooses plural forms by the rules of the language', () => {
    expect(locale('en').t('list.unread', { count: 1 })).toBe('1 unread message');
    expect(locale('en').t('list.unread', { count: 2 })).toBe('2 unread messages');
    const arabic = locale('ar');
    expect(new Set([1, 2, 3, 11, 100].map((count) => arabic.t('list.unread', { count }))).size).toBe(5);
  });

  it('fills in a value that looks like a placeholder or a pattern as it is', () => {
    expect(locale('en').t('search.none', { text: '{name} $& $1' })).toBe('Nothing found for “{name} $& $1”.');
  });

  it('lets no sign in a value turn the words around it', () => {
    expect(locale('en').t('session.with', { name: '\u202Emo\u2069T\u202C' })).toBe('Session with moT');
    // A path is set apart by whoever gives it, and stays so.
    expect(locale('en').t('session.with', { name: '\u2066/a\u2069\u202E/b\u2069' })).toBe(
      'Session with \u2066/a/b\u2069',
    );
  });

  it('says moments by time, yesterday, weekday and date', () => {
    const noon = new Date(2026, 10, 22, 12).getTime();
    const dayMs = 86_400_000;
    const english = locale('en');
    expect(english.moment(noon - 60_000, noon)).toBe('11:59');
    expect(english.moment(new Date(2026, 10, 21, 23, 59).getTime(), noon)).toBe('Yesterday');
    expect(english.moment(noon - 3 * dayMs, noon)).toBe('Thu');
    expect(english.moment(noon - 30 * dayMs, noon)).toBe('Oct 23');
    expect(english.moment(noon - 400 * dayMs, noon)).toBe('10/18/2025');
    expect(locale('de').moment(noon - 30 * dayMs, noon)).toBe('23. Okt.');
  });

  it('writes dates as it is done where the user is, in the calendar that days are counted by', () => {
    const day = new Date(2025, 9, 18).getTime();
    const written = (language: 'en' | 'de' | 'ar', wanted: string[]) =>
      new Intl.DateTimeFormat(regionOf(language, wanted), { dateStyle: 'short' }).format(day);
    expect(written('en', ['de-DE', 'en-GB', 'en-US'])).toBe('18/10/2025');
    expect(written('en', ['de-DE'])).toBe('10/18/25');
    expect(written('de', ['en-GB'])).toBe('18.10.25');
    // Saudi Arabia counts years otherwise.
    expect(written('ar', ['ar-SA'])).toMatch(/25|٢٥/);
    const own = vi.spyOn(navigator, 'languages', 'get');
    for (const [wanted, first] of [
      ['en-US', 0],
      ['en-GB', 1],
      ['en', 1],
    ] as const) {
      own.mockReturnValue([wanted]);
      expect(locale('en').firstWeekday, wanted).toBe(first);
    }
    own.mockRestore();
  });

  it('says problems by code in other languages, and with the exact words in English', () => {
    const error = new CallError('port-in-use', 'Port 5060 is taken by another program.');
    expect(locale('en').problem(error)).toBe('Port 5060 is taken by another program.');
    expect(locale('de').problem(error)).toContain('Ein anderes Programm benutzt den Port');
    expect(locale('de').problem(new TypeError('x is undefined'))).toBe(catalogues.de['error.internal']);
  });

  it('says a reason whose code it does not know in the words that came with it', () => {
    const reason = { code: 'brand-new', message: 'Something new happened.' };
    expect(locale('zh').reason(reason, 'Tom')).toBe('Something new happened.');
    expect(locale('zh').reason({ code: 'busy', message: 'Busy.' }, 'Tom')).toBe('Tom正忙。');
  });

  it('says why a message failed by its protocol and status, or by its protocol alone', () => {
    const german = locale('de');
    const why = (code: string) => german.reason({ code, message: 'In English.' }, 'Tom');
    expect(why('sip-404')).toBe('Der Server kennt diese Adresse nicht.');
    expect(why('msrp-413')).toBe('Es ist zu groß für Tom, oder die Festplatte dort ist voll.');
    expect(why('msrp-499')).toBe('Die Seite von Tom hat es abgelehnt.');
    expect(why('imdn-failed')).toBe('Der Server konnte es nicht zustellen.');
    expect(why('constructor')).toBe('In English.');
  });
});

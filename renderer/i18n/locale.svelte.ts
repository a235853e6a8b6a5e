/**
 * Owns: the chosen language: its texts, plural rules, dates and numbers.
 * Called by: every view, by context. Calls: Intl.
 */
import { CallError } from '../../shared/ipc/error-codes.ts';
import { ar } from './ar.ts';
import type { Catalogue, Entry, MessageKey, Values } from './catalogue.ts';
import { de } from './de.ts';
import { en } from './en.ts';
import { zh } from './zh.ts';

export const catalogues = { en, de, zh, ar } as const satisfies Record<string, Catalogue>;
export type Language = keyof typeof catalogues;

/** Languages by their own names, for the settings. */
export const languageNames: Readonly<Record<Language, string>> = {
  en: 'English',
  de: 'Deutsch',
  zh: '中文',
  ar: 'العربية',
};

const dayMs = 86_400_000;
/** They turn the direction of all that follows, until another one ends that. */
const directionSigns = /[\u202A-\u202E\u2066-\u2069]/gu;
/** What is set apart already, as a path is: left to right in any language. */
const setApart = /^\u2066(.*)\u2069$/su;

/** What comes from others turns nothing of the words around it. */
function withoutTurns(value: string): string {
  const inner = setApart.exec(value)?.[1];
  if (inner === undefined) return value.replace(directionSigns, '');
  return `\u2066${inner.replace(directionSigns, '')}\u2069`;
}

/** The first language of the list that there are texts for. */
export function preferredLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split('-')[0] ?? '';
    if (base in catalogues) return base as Language;
  }
  return 'en';
}

/** How dates and numbers of a language are written where the user is, by the languages that he wants; days count by our calendar. */
export function regionOf(language: Language, wanted: readonly string[]): string {
  const tag = wanted.find((each) => each.toLowerCase().split('-')[0] === language);
  return new Intl.Locale(tag ?? language, { calendar: 'gregory' }).toString();
}

/** 0 is Sunday. Where nobody says where the user is: Saturday in Arabic, else Monday. */
function firstWeekdayOf(tag: string): number {
  const locale = new Intl.Locale(tag);
  // Not every browser can tell.
  if (locale.region !== undefined && 'getWeekInfo' in locale) return locale.getWeekInfo().firstDay % 7;
  return locale.language === 'ar' ? 6 : 1;
}

function startOfDay(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}

/** Whole calendar days between two moments, whatever the clock was set to in between. */
function daysBetween(earlierMs: number, laterMs: number): number {
  return Math.round((startOfDay(laterMs) - startOfDay(earlierMs)) / dayMs);
}

export class Locale {
  language = $state<Language>('en');
  readonly direction = $derived(this.language === 'ar' ? 'rtl' : 'ltr');
  readonly #region = $derived(regionOf(this.language, navigator.languages));
  readonly #catalogue: Catalogue = $derived(catalogues[this.language]);
  readonly #plural = $derived(new Intl.PluralRules(this.language));
  readonly #number = $derived(new Intl.NumberFormat(this.#region));
  readonly #time = $derived(
    new Intl.DateTimeFormat(this.#region, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
  );
  readonly #exactTime = $derived(
    new Intl.DateTimeFormat(this.#region, {
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
    }),
  );
  readonly #weekday = $derived(new Intl.DateTimeFormat(this.#region, { weekday: 'short' }));
  readonly #shortDate = $derived(new Intl.DateTimeFormat(this.#region, { day: 'numeric', month: 'short' }));
  readonly #fullDate = $derived(
    new Intl.DateTimeFormat(this.#region, { day: '2-digit', month: '2-digit', year: 'numeric' }),
  );
  readonly #longDay = $derived(
    new Intl.DateTimeFormat(this.#region, { weekday: 'long', day: 'numeric', month: 'long' }),
  );
  readonly #longDayYear = $derived(
    new Intl.DateTimeFormat(this.#region, { day: 'numeric', month: 'long', year: 'numeric' }),
  );

  readonly #month = $derived(
    new Intl.DateTimeFormat(this.#region, { month: 'long', year: 'numeric', timeZone: 'UTC' }),
  );
  readonly #weekdayOfDate = $derived(
    new Intl.DateTimeFormat(this.#region, { weekday: 'narrow', timeZone: 'UTC' }),
  );
  readonly #dateInFull = $derived(
    new Intl.DateTimeFormat(this.#region, { dateStyle: 'full', timeZone: 'UTC' }),
  );
  /** 0 is Sunday. */
  readonly firstWeekday = $derived(firstWeekdayOf(this.#region));

  /**
   * The text of a key with its placeholders filled; `count` also chooses the plural form. Names and whatever else comes
   * from others turn nothing of the words around them.
   */
  t<Key extends MessageKey>(key: Key, ...values: Values<Key>): string {
    const entry: Entry = this.#catalogue[key];
    const filling: Readonly<Record<string, string | number>> = values[0] ?? {};
    const text = typeof entry === 'string' ? entry : this.#pluralForm(entry, filling['count']);
    return text.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = filling[name] ?? '';
      return typeof value === 'number' ? this.#number.format(value) : withoutTurns(value);
    });
  }

  number(value: number): string {
    return this.#number.format(value);
  }

  time(ms: number): string {
    return this.#time.format(ms);
  }

  /** Heading of a day in the thread. */
  day(ms: number, nowMs: number): string {
    const days = daysBetween(ms, nowMs);
    if (days === 0) return this.t('thread.today');
    if (days === 1) return this.t('thread.yesterday');
    const sameYear = new Date(ms).getFullYear() === new Date(nowMs).getFullYear();
    return (sameYear ? this.#longDay : this.#longDayYear).format(ms);
  }

  /** A moment as short as it can be said: time, yesterday, weekday, date. */
  moment(ms: number, nowMs: number): string {
    const days = daysBetween(ms, nowMs);
    if (days <= 0) return this.time(ms);
    if (days === 1) return this.t('list.yesterday');
    if (days < 7) return this.#weekday.format(ms);
    return days < 300 ? this.#shortDate.format(ms) : this.#fullDate.format(ms);
  }

  /** `Bob, Tom, Eve`, as the language has it. */
  list(words: readonly string[]): string {
    return new Intl.ListFormat(this.language, { type: 'conjunction' }).format(words);
  }

  /** A share of 1. */
  percent(share: number): string {
    return new Intl.NumberFormat(this.#region, { style: 'percent', maximumFractionDigits: 0 }).format(share);
  }

  /** A day and a time that stay right however long ago they were. */
  dateTime(ms: number): string {
    return `${this.#fullDate.format(ms)}, ${this.time(ms)}`;
  }

  /** The same with its seconds. */
  exactTime(ms: number): string {
    return `${this.#fullDate.format(ms)}, ${this.#exactTime.format(ms)}`;
  }

  /** Dates without a time, given as their midnight in UTC: the month, the weekday as short as it gets, all of it. */
  month(utcMs: number): string {
    return this.#month.format(utcMs);
  }

  weekday(utcMs: number): string {
    return this.#weekdayOfDate.format(utcMs);
  }

  date(utcMs: number): string {
    return this.#dateInFull.format(utcMs);
  }

  /** A day that stays right however long ago it was. */
  longDay(ms: number): string {
    return this.#longDayYear.format(ms);
  }

  /** Time since the beginning of a session, with the unit that fits. */
  elapsed(microseconds: number): string {
    const ms = microseconds / 1000;
    const [value, unit, digits] = ms < 1000 ? [ms, 'millisecond', 0] : [ms / 1000, 'second', 2];
    return new Intl.NumberFormat(this.#region, {
      style: 'unit',
      unit,
      maximumFractionDigits: ms < 10 ? 1 : digits,
    }).format(value);
  }

  /** An amount of bytes with the unit that fits, in steps of a thousand. */
  bytes(bytes: number): string {
    const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;
    const step = bytes < 1_000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
    const value = bytes / 1_000 ** step;
    return new Intl.NumberFormat(this.#region, {
      style: 'unit',
      unit: units[step] ?? 'byte',
      unitDisplay: step === 0 ? 'long' : 'short',
      maximumFractionDigits: step === 0 || value >= 100 ? 0 : 1,
    }).format(step === 0 ? Math.round(bytes) : value);
  }

  /** Time until something is finished, roughly. */
  timeLeft(seconds: number): string {
    const [value, unit] =
      seconds < 90
        ? [Math.max(1, seconds), 'second']
        : seconds < 5_400
          ? [seconds / 60, 'minute']
          : [seconds / 3_600, 'hour'];
    const time = new Intl.NumberFormat(this.#region, {
      style: 'unit',
      unit,
      unitDisplay: 'short',
      maximumFractionDigits: 0,
    }).format(value);
    return this.t('file.left', { time });
  }

  /** What went wrong, in the user's language where the code is known, else in the words that came with it. */
  problem(error: unknown): string {
    if (!(error instanceof CallError)) return this.t('error.internal');
    if (error.code === 'invalid-input') return this.t('error.invalid-input', { detail: error.message });
    if (this.language === 'en' && error.message !== '') return error.message;
    return this.t(`error.${error.code}`);
  }

  /** Why a session ended or a message failed; `code` is stable, `message` the main process's English sentence. */
  reason({ code, message }: { readonly code: string; readonly message: string }, name: string): string {
    if (this.language === 'en' && message !== '') return message;
    const family = code.split('-')[0] ?? '';
    const key = [`end.${code}`, `failure.${code}`, `failure.${family}`].find((each) => each in en);
    return key === undefined ? message : this.t(key as 'end.declined', { name });
  }

  #pluralForm(forms: Exclude<Entry, string>, count: string | number | undefined): string {
    return forms[this.#plural.select(Number(count ?? 0))] ?? forms.other;
  }
}

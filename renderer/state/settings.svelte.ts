/** Owns: the settings, and the theme and language that follow from them. Called by: app, settings. Calls: the client. */
import type { ShownPolicy } from '../../shared/policy.ts';
import type { SettingKey, Settings } from '../../shared/settings.ts';
import type { Client } from '../api/client.ts';
import { preferredLanguage, type Locale } from '../i18n/locale.svelte.ts';

export class SettingsState {
  readonly #client: Client;
  readonly #locale: Locale;
  values = $state.raw<Settings | null>(null);
  policy = $state.raw<ShownPolicy>({ rules: [], faults: [] });
  /** What the last change was refused with, by key. */
  problem = $state.raw<{ readonly key: SettingKey; readonly error: unknown } | null>(null);

  constructor(client: Client, locale: Locale) {
    this.#client = client;
    this.#locale = locale;
    // Until the settings are there, that of the system: a passphrase is asked for before.
    this.#speak('system');
  }

  async load(): Promise<void> {
    this.policy = await this.#client.call('policy.get', {});
    this.#apply(await this.#client.call('settings.get', {}));
  }

  /** A policy has decided it. */
  isLocked(key: SettingKey): boolean {
    return this.policy.rules.some((rule) => rule.key === key && rule.locked);
  }

  applyPolicyChanged(policy: ShownPolicy): void {
    this.policy = policy;
  }

  async set<Key extends SettingKey>(key: Key, value: Settings[Key]): Promise<void> {
    this.problem = null;
    try {
      this.#apply(await this.#client.call('settings.set', { key, value }));
    } catch (error) {
      this.problem = { key, error };
    }
  }

  applySettingsChanged(settings: Readonly<Record<string, unknown>>): void {
    this.#apply(settings as Settings);
  }

  #apply(settings: Settings): void {
    this.values = settings;
    document.documentElement.dataset['theme'] = settings['appearance.theme'];
    this.#speak(settings['appearance.language']);
  }

  #speak(language: Settings['appearance.language']): void {
    this.#locale.language = language === 'system' ? preferredLanguage(navigator.languages) : language;
    document.documentElement.lang = this.#locale.language;
    document.documentElement.dir = this.#locale.direction;
  }
}

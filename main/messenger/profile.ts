/**
 * Owns: what lies where in a profile, and its settings as they are read from the store.
 * Called by: messenger.ts. Calls: settings, node:path.
 */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import {
  initialSettings,
  settingKeys,
  settingSpecs,
  type SettingKey,
  type Settings,
} from '../../shared/settings.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { Log } from '../base/log.ts';

/** A Unix socket's path has to fit into 104 bytes on every system; our file names take 30. */
const MAX_RUN_FOLDER_CHARS = 70;

/** The file that everything is kept in. */
export function historyOf(profile: string): string {
  return join(profile, 'history.sqlite');
}

/** A folder for sockets, with a path that is short enough. */
export function runFolderOf(profile: string): string {
  const inside = join(profile, 'run');
  if (inside.length <= MAX_RUN_FOLDER_CHARS) return inside;
  return join(process.env['XDG_RUNTIME_DIR'] ?? tmpdir(), `parley-${randomUUID().slice(0, 8)}`);
}

/** What is stored, over the defaults. What is not valid any more is left out and told to the log. */
export function readSettings(stored: Record<string, string>, log: Log): Settings {
  const settings = initialSettings();
  for (const key of settingKeys) {
    const text = stored[key];
    if (text === undefined) continue;
    const parsed = v.safeParse(settingSpecs[key].schema, parseJson(text));
    if (parsed.success) Object.assign(settings, { [key]: parsed.output });
    else log.warn('setting.invalid', { key });
  }
  return settings;
}

/** A value for a setting. Throws CallError when it is none. */
export function checkSetting(key: SettingKey, value: unknown): unknown {
  const parsed = v.safeParse(settingSpecs[key].schema, value);
  if (parsed.success) return parsed.output;
  throw new CallError('invalid-input', `${key}: ${parsed.issues[0].message}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Owns: a registry, and what a compiled NSIS script would do to it (an emulation: of the instructions that ours has, and no others).
 * Called by: test/build/windows-links.test.ts. Calls: nothing.
 */

/** Values by key (`HKLM\Software\…`) and name; the name of a key's default value is empty. */
export class Registry {
  readonly keys = new Map<string, Record<string, string>>();

  write(key: string, name: string, value: string): void {
    this.keys.set(key, { ...this.keys.get(key), [name]: value });
  }

  /** HKCR shows what the user has before what the machine has. */
  places(key: string): string[] {
    const path = /^HKCR\\(.*)$/.exec(key)?.[1];
    return path === undefined
      ? [key]
      : [`HKCU\\Software\\Classes\\${path}`, `HKLM\\Software\\Classes\\${path}`];
  }

  read(key: string, name: string): string | undefined {
    return this.places(key).flatMap((place) => this.keys.get(place)?.[name] ?? [])[0];
  }

  /** With keys in it that have no values of their own. */
  has(key: string): boolean {
    const places = this.places(key);
    return [...this.keys.keys()].some((known) => places.some((place) => isIn(known, place)));
  }

  remove(key: string): void {
    for (const known of [...this.keys.keys()]) if (isIn(known, key)) this.keys.delete(known);
  }

  removeValue(key: string, name: string): void {
    const { [name]: _gone, ...left } = this.keys.get(key) ?? {};
    if (Object.keys(left).length > 0) this.keys.set(key, left);
    else this.keys.delete(key);
  }
}

const isIn = (key: string, place: string) => key === place || key.startsWith(`${place}\\`);

const wordsOf = (line: string) =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|`([^`]*)`|(\S+)/g)].map(
    ([, double, single, back, bare]) => double ?? single ?? back ?? bare ?? '',
  );

/** Runs preprocessed lines of one section. `context`: what SHCTX is. Throws at an instruction that it does not know. */
export function runNsis(
  lines: readonly string[],
  registry: Registry,
  { context, folder }: { context: 'HKLM' | 'HKCU'; folder: string },
): void {
  const code = lines.map(wordsOf).filter(([first = '!']) => !first.startsWith('!'));
  let [register, failed, next] = ['', false, 0];
  const valueOf = (word = '') => word.replaceAll('$INSTDIR', folder).replaceAll('$0', register);
  const keyOf = (root = '', path = '') => `${root === 'SHCTX' ? context : root}\\${valueOf(path)}`;
  /** An empty label is the next instruction. */
  const jump = (label = '') => {
    if (label !== '') next = code.findIndex(([word]) => word === `${label}:`);
  };
  while (next < code.length) {
    const [instruction = '', ...words] = code[next] ?? [];
    next += 1;
    switch (instruction) {
      case 'Push':
      case 'Pop':
      case 'System::Call':
        break;
      case 'ClearErrors':
        failed = false;
        break;
      case 'WriteRegStr':
        registry.write(keyOf(words[0], words[1]), valueOf(words[2]), valueOf(words[3]));
        break;
      case 'ReadRegStr':
        register = registry.read(keyOf(words[1], words[2]), valueOf(words[3])) ?? '';
        break;
      case 'EnumRegKey':
        failed ||= !registry.has(keyOf(words[1], words[2]));
        break;
      case 'IfErrors':
        jump(failed ? words[0] : words[1]);
        failed = false;
        break;
      case 'StrCmp':
        jump(valueOf(words[0]).toLowerCase() === valueOf(words[1]).toLowerCase() ? words[2] : words[3]);
        break;
      case 'DeleteRegValue':
        registry.removeValue(keyOf(words[0], words[1]), valueOf(words[2]));
        break;
      case 'DeleteRegKey': {
        const [root, path] = words.slice(-2);
        if (words[0] !== '/ifempty' || !registry.has(keyOf(root, path))) registry.remove(keyOf(root, path));
        break;
      }
      default:
        if (!instruction.endsWith(':')) throw new Error(`NSIS: ${instruction} is not known here.`);
    }
  }
}

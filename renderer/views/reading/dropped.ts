/**
 * Owns: whether what was dropped on the window is something to be read, and its parts. Called by: ReadingDrop.svelte.
 * Calls: the browser's file entries.
 */
import type { Dropped } from '../../state/reading.svelte.ts';

const archiveNames = /\.(?:parley|sqlite)$/i;
const history = 'history.sqlite';
const parts: readonly string[] = [history, `${history}-wal`, 'history.key'];
const filesFolder = 'files';

/** An archive, a history, or a folder: undefined when it is none of them. Of the folder only what is of use is read. */
export function readDropped(
  data: DataTransfer,
  hasPaths: boolean,
): (() => Promise<Dropped | null>) | undefined {
  const [item, ...others] = [...data.items].filter(({ kind }) => kind === 'file');
  const file = item?.getAsFile() ?? null;
  if (item === undefined || others.length > 0) return undefined;
  const entry = item.webkitGetAsEntry();
  if (entry?.isDirectory === true) {
    // The desktop program takes the folder by its place.
    if (hasPaths && file !== null) {
      return () => Promise.resolve({ name: entry.name, parts: [{ file, path: '' }] });
    }
    return () => readFolder(entry as FileSystemDirectoryEntry);
  }
  if (file === null || !archiveNames.test(file.name)) return undefined;
  return () => Promise.resolve({ name: file.name, parts: [{ file, path: '' }] });
}

/** Null: there is no history in it. */
async function readFolder(folder: FileSystemDirectoryEntry): Promise<Dropped | null> {
  const found: { file: File; path: string }[] = [];
  for (const entry of await entriesOf(folder)) {
    if (entry.isFile && parts.includes(entry.name)) {
      found.push({ file: await fileOf(entry as FileSystemFileEntry), path: entry.name });
    } else if (entry.isDirectory && entry.name === filesFolder) {
      for (const inside of await entriesOf(entry as FileSystemDirectoryEntry)) {
        if (!inside.isFile || inside.name.endsWith('.part')) continue;
        found.push({
          file: await fileOf(inside as FileSystemFileEntry),
          path: `${filesFolder}/${inside.name}`,
        });
      }
    }
  }
  return found.some(({ path }) => path === history) ? { name: folder.name, parts: found } : null;
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** A browser gives them out in portions. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const portion = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (portion.length === 0) return all;
    all.push(...portion);
  }
}
